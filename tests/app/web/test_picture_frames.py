import io

import pytest
from PIL import Image

from app.web.picture_frames import HEADER, frame_headers, frame_headers_of_several


def pages(count: int) -> bytes:
    first, *more = (Image.new("L", (28, 28), 100 + number) for number in range(count))
    file = io.BytesIO()
    first.save(file, "TIFF", save_all=True, append_images=more)
    return file.getvalue()


def test_a_picture_with_several_pages_is_named() -> None:
    assert frame_headers([pages(3)]) == {HEADER: "first of 3"}
    for picture in (pages(1), b"", b"rubbish"):
        assert frame_headers([picture]) == {}


@pytest.mark.anyio
async def test_the_files_of_a_batch_are_named_by_their_position() -> None:
    one, two, three = pages(1), pages(2), pages(3)
    assert await frame_headers_of_several([one, three, b"", two]) == {HEADER: "file 2: first of 3, file 4: first of 2"}
    assert await frame_headers_of_several([one, one]) == {}
    (value,) = (await frame_headers_of_several([two] * 64)).values()
    assert value.endswith("file 20: first of 2, 44 more files")
