import struct

import pytest

from imaging import PictureTooLarge
from imaging.boxes import Box, FieldReader, build_box, find_boxes, iterate_boxes


def test_boxes_are_found_with_their_content() -> None:
    long_size = struct.pack(">L4sQ", 1, b"long", 19) + b"123"
    data = build_box(b"abcd", b"12", b"34") + long_size + struct.pack(">L4s", 0, b"rest") + b"to the end"
    boxes = list(iterate_boxes(data, 0, len(data)))
    assert [(box.type, data[box.start : box.end]) for box in boxes] == [
        (b"abcd", b"1234"),
        (b"long", b"123"),
        (b"rest", b"to the end"),
    ]


def test_the_first_box_of_each_type_is_found_and_no_box_exceeds_its_parent() -> None:
    data = build_box(b"abcd", b"1") + build_box(b"abcd", b"2") + struct.pack(">L4s", 1000, b"last") + b"3"
    assert find_boxes(data, 0, len(data)) == {b"abcd": Box(b"abcd", 8, 9), b"last": Box(b"last", 26, 27)}


@pytest.mark.parametrize("size", [2, 7])
def test_impossible_sizes_are_refused(size: int) -> None:
    with pytest.raises(ValueError, match="size of a box"):
        list(iterate_boxes(struct.pack(">L4s", size, b"abcd") + bytes(20), 0, 28))


def test_the_number_of_boxes_is_bounded() -> None:
    with pytest.raises(PictureTooLarge, match="4,096 boxes"):
        list(iterate_boxes(build_box(b"free") * 5000, 0, 40_000))


def test_fields_are_read_within_the_box() -> None:
    reader = FieldReader(b"\1\0\0\2\0\5\xff", Box(b"abcd", 0, 6))
    assert reader.read_version() == (1, 2)
    assert reader.read(2) == 5
    with pytest.raises(ValueError, match="truncated"):
        reader.read(1)
