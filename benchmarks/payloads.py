"""Draw the pictures for the servers, and build the request bodies that contain them. Knows no server."""

import io
import json
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from imaging import encode_png, preprocess_picture

_BOUNDARY = b"benchmark-boundary-0f3a"
_STROKES = {
    1: [(150, 50), (130, 230)],
    4: [(110, 50), (80, 150), (205, 150), (160, 150), (172, 95), (150, 235)],
    7: [(80, 70), (200, 70), (120, 220)],
}
_GRAIN_SEED, _GRAIN_SHARE = 7, 0.1


@dataclass(frozen=True)
class Body:
    """A request's body and its type."""

    content_type: str
    data: bytes


def draw_digit(digit: int, side: int = 280) -> Image.Image:
    """Draw a 1, 4 or 7 in white on a black background with fine grain, like a drawing program or a scanner."""
    picture = Image.new("L", (side, side))
    points = [(x * side / 280, y * side / 280) for x, y in _STROKES[digit]]
    ImageDraw.Draw(picture).line(points, fill=254, width=side * 22 // 280, joint="curve")
    grain = np.random.default_rng(_GRAIN_SEED).random((side, side)) < _GRAIN_SHARE
    return Image.fromarray(np.asarray(picture) + grain.astype(np.uint8))


def digit_png(digit: int = 7) -> bytes:
    """Return a digit in MNIST's form: a 28x28 PNG of about 200 bytes."""
    return encode_png(preprocess_picture(drawing_png(digit)).image)


def drawing_png(digit: int = 7) -> bytes:
    """Return a drawing of 280x280 pixels: a PNG of about 10 kB."""
    return _save(draw_digit(digit), "PNG")


def photo_jpeg(digit: int = 7) -> bytes:
    """Return a picture of one megapixel: a JPEG."""
    return _save(draw_digit(digit, side=1000), "JPEG")


def _save(picture: Image.Image, type_: str) -> bytes:
    file = io.BytesIO()
    picture.save(file, type_)
    return file.getvalue()


def raw(picture: bytes) -> Body:
    """Return a body that is the picture itself."""
    return Body("image/png" if picture.startswith(b"\x89PNG") else "image/jpeg", picture)


def multipart(field: str, pictures: Sequence[bytes]) -> Body:
    """Return a multipart form with a part for each picture, all with the name `field`."""
    disposition = f'Content-Disposition: form-data; name="{field}"; filename="digit.png"\r\n'.encode()
    parts = [
        b"--" + _BOUNDARY + b"\r\n" + disposition + b"Content-Type: image/png\r\n\r\n" + picture + b"\r\n"
        for picture in pictures
    ]
    data = b"".join(parts) + b"--" + _BOUNDARY + b"--\r\n"
    return Body(f"multipart/form-data; boundary={_BOUNDARY.decode()}", data)


def tensor(picture: bytes) -> Body:
    """Return the pixels of a picture as a tensor in the JSON of the Open Inference Protocol, version 2."""
    return tensors(decode_plainly(picture)[np.newaxis])


def tensors(images: NDArray[np.uint8]) -> Body:
    """Return `images`, uint8 (n, 28, 28), as a tensor in the JSON of the Open Inference Protocol, version 2."""
    values = {"name": "images", "shape": images.shape, "datatype": "UINT8", "data": images.ravel().tolist()}
    return Body("application/json", json.dumps({"inputs": [values]}).encode())


def binary_tensor(images: NDArray[np.uint8]) -> tuple[bytes, bytes]:
    """Return the JSON of a request for binary outputs, and the body: the JSON followed by `images`."""
    values = {
        "name": "images",
        "shape": images.shape,
        "datatype": "UINT8",
        "parameters": {"binary_data_size": images.nbytes},
    }
    text = json.dumps({"inputs": [values], "parameters": {"binary_data_output": True}}).encode()
    return text, text + images.tobytes()


def decode_plainly(picture: bytes) -> NDArray[np.uint8]:
    """Decode a picture as the peers do: to grey, resized to uint8 (28, 28)."""
    with Image.open(io.BytesIO(picture)) as opened:
        grey = opened.convert("L")
    return np.asarray(grey if grey.size == (28, 28) else grey.resize((28, 28)))
