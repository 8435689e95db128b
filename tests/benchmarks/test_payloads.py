import io
import json

import pytest
from multipart import MultipartParser
from PIL import Image

from benchmarks import payloads
from imaging import decode, preprocess_picture


@pytest.mark.parametrize("digit", [1, 4, 7])
def test_a_digit_is_in_mnists_form_already(digit: int) -> None:
    picture = payloads.digit_png(digit)
    assert len(picture) < 400
    assert (preprocess_picture(picture).image == decode(picture)).all()


def test_a_drawing_is_about_ten_kilobytes_and_is_preprocessed_to_the_digit() -> None:
    picture = payloads.drawing_png()
    assert 8_000 < len(picture) < 13_000
    assert (preprocess_picture(picture).image == decode(payloads.digit_png())).all()


def test_a_photo_has_a_megapixel() -> None:
    with Image.open(io.BytesIO(payloads.photo_jpeg())) as picture:
        assert (picture.format, picture.size) == ("JPEG", (1000, 1000))


def test_a_form_contains_every_picture() -> None:
    body = payloads.multipart("file", [b"one", b"two"])
    boundary = body.content_type.partition("boundary=")[2]
    parts = list(MultipartParser(io.BytesIO(body.data), boundary))
    assert [(part.name, part.raw) for part in parts] == [("file", b"one"), ("file", b"two")]


def test_the_raw_body_has_its_media_type() -> None:
    assert payloads.raw(payloads.digit_png()).content_type == "image/png"
    assert payloads.raw(payloads.photo_jpeg()).content_type == "image/jpeg"


def test_a_tensor_has_the_pixels() -> None:
    tensor = json.loads(payloads.tensor(payloads.digit_png()).data)["inputs"][0]
    assert tensor["shape"] == [1, 28, 28]
    assert tensor["data"] == decode(payloads.digit_png()).ravel().tolist()


def test_plain_decoding_resizes() -> None:
    assert payloads.decode_plainly(payloads.drawing_png()).shape == (28, 28)
