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
import zlib
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from app.errors import UnknownPrediction

_SIGNATURE_BYTES = 16
_EXPIRY = struct.Struct(">I")  # seconds since 1970, until 2106
_IMAGE_BYTES = 28 * 28


class Receipts:
    """Hands out ids that last for a while, and takes them back.

    An id is, in URL-safe base64, a BLAKE2b signature (RFC 7693, keyed), the time it expires at, and the 784 bytes of
    the image, deflated: some 300 characters for a digit, 1,100 at most.
    """

    def __init__(self, key: str, *, seconds: int, clock: Callable[[], float] = time.time) -> None:
        self._key = hashlib.sha256(key.encode()).digest()
        self._seconds = seconds
        self._clock = clock

    def issue(self, image: NDArray[np.uint8]) -> str:
        """Give the id of a prediction for an image of shape (28, 28)."""
        content = _EXPIRY.pack(int(self._clock()) + self._seconds) + zlib.compress(image.tobytes(), 1)
        return base64.urlsafe_b64encode(self._sign(content) + content).rstrip(b"=").decode()

    def redeem(self, prediction_id: str) -> NDArray[np.uint8]:
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
        image = zlib.decompress(content[_EXPIRY.size :], bufsize=_IMAGE_BYTES)
        return np.frombuffer(image, np.uint8).reshape(28, 28)

    def _sign(self, content: bytes) -> bytes:
        return hashlib.blake2b(content, key=self._key, digest_size=_SIGNATURE_BYTES).digest()
