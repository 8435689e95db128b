"""Encodes rendered pictures as the files that people send. Knows no scenes."""

import io

import numpy as np
from PIL import Image

from benchmarks.scenes.textures import Generator, Grey, chance

_TINY = 64
"""Pictures up to this side are not sent as JPEG."""


def encode(picture: Grey, rng: Generator) -> bytes:
    """Encode a picture, uint8 (h, w) or (h, w, 3): drawings and tiny ones mostly as PNG, photos mostly as JPEG."""
    jpeg = 0.0 if max(picture.shape[:2]) <= _TINY else 0.15 if _is_drawing(picture) else 0.85
    file = io.BytesIO()
    if chance(rng, jpeg):
        Image.fromarray(picture).save(file, "JPEG", quality=int(rng.integers(70, 96)))
    else:
        Image.fromarray(picture).save(file, "PNG", compress_level=1)
    return file.getvalue()


def _is_drawing(picture: Grey) -> bool:
    """Tell whether most of the picture is of one level."""
    counts = np.bincount(picture.ravel(), minlength=256)
    return bool(counts.max() > 0.5 * counts.sum())
