"""Ids of predictions: each contains the image that the model classified, and a signature. Knows no store.

The server stores nothing for an id. This has three effects:

- Every worker with the key can verify an id, also after a restart.
- An id stays valid until it expires, however many requests follow.
- The server keeps an image only if a user corrects its prediction.
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
    """Encodes images into ids that expire, and decodes ids into images.

    An id is URL-safe base64 of a BLAKE2b signature (RFC 7693, keyed), the time of expiry, a bit for each pixel that
    tells whether it has ink, and the values of the pixels with ink: some 300 characters for a digit, 1,203 at most.
    Encoding takes a few microseconds; with deflate it would take several times as long.
    """

    def __init__(self, key: str, *, seconds: int, clock: Callable[[], float] = time.time) -> None:
        self._key = hashlib.sha256(key.encode()).digest()
        self._seconds = seconds
        self._clock = clock

    def issue(self, image: NDArray[np.uint8]) -> str:
        """Return the id of a prediction for an image, uint8 (28, 28)."""
        inked, values = np.packbits(image).tobytes(), image.tobytes().translate(None, b"\0")
        content = _EXPIRY.pack(int(self._clock()) + self._seconds) + inked + values
        return base64.urlsafe_b64encode(self._sign(content) + content).rstrip(b"=").decode()

    def image_of(self, prediction_id: str) -> NDArray[np.uint8]:
        """Return the image, (28, 28), of the prediction with this id.

        Raises:
            UnknownPrediction: if the id was not issued with this key, or has expired.

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
