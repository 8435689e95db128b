"""The ids of predictions: each holds, signed, what the model saw. Knows nothing of what becomes of a correction.

Nothing is kept here, so an id is understood by every worker, and after a restart too where the key stays the same; no
flood of requests can push out what someone was about to correct; and what nobody corrects is nowhere.
"""

import base64
import binascii
import hashlib
import hmac
import struct
import time
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from app.errors import UnknownPrediction

_SIGNATURE_BYTES = 16
_EXPIRY = struct.Struct(">I")  # seconds since 1970, until 2106
_INKED_BYTES = 28 * 28 // 8


class PredictionIds:
    """Hands out ids that last for a while, and takes them back.

    An id is, in URL-safe base64, a BLAKE2b signature (RFC 7693, keyed), the time it expires at, and the image as a bit
    for each pixel that has ink, then their values: some 300 characters for a digit, 1,203 at most. It is made in a few
    microseconds; deflating the image would take several times as long.
    """

    def __init__(self, key: str, *, seconds: int, clock: Callable[[], float] = time.time) -> None:
        self._key = hashlib.sha256(key.encode()).digest()
        self._seconds = seconds
        self._clock = clock

    def issue(self, image: NDArray[np.uint8]) -> str:
        """Give the id of a prediction for an image of shape (28, 28)."""
        inked, values = np.packbits(image).tobytes(), image.tobytes().translate(None, b"\0")
        content = _EXPIRY.pack(int(self._clock()) + self._seconds) + inked + values
        return base64.urlsafe_b64encode(self._sign(content) + content).rstrip(b"=").decode()

    def image_of(self, prediction_id: str) -> NDArray[np.uint8]:
        """Give the image, (28, 28), of the prediction with that id.

        Raises:
            UnknownPrediction: if the id is not one of ours, or has expired.

        """
        try:
            data = base64.b64decode(prediction_id + "=" * (-len(prediction_id) % 4), altchars=b"-_", validate=True)
        except (binascii.Error, ValueError) as error:
            raise UnknownPrediction from error
        signature, content = data[:_SIGNATURE_BYTES], data[_SIGNATURE_BYTES:]
        if not hmac.compare_digest(signature, self._sign(content)):
            raise UnknownPrediction
        (expires_at,) = _EXPIRY.unpack_from(content)
        if self._clock() > expires_at:
            raise UnknownPrediction(expired_after=self._seconds)
        inked = np.frombuffer(content, np.uint8, _INKED_BYTES, _EXPIRY.size)
        image = np.unpackbits(inked).reshape(28, 28)
        image[image > 0] = np.frombuffer(content, np.uint8, offset=_EXPIRY.size + _INKED_BYTES)
        return image

    def _sign(self, content: bytes) -> bytes:
        return hashlib.blake2b(content, key=self._key, digest_size=_SIGNATURE_BYTES).digest()
