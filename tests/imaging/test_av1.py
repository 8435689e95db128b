import pytest

from imaging import PictureTooLarge, av1
from imaging.container import CodedPicture
from imaging.heif import _parse_meta
from tests.imaging.heif_files import drawing, save


def coded(mode: str = "RGB", size: tuple[int, int] = (80, 60), **options: object) -> bytes:
    meta = _parse_meta(save(drawing(mode, size), "AVIF", **options))
    return meta.content_of(meta.primary)


@pytest.mark.parametrize(("subsampling", "bytes_per_pixel"), [("4:2:0", 1.5), ("4:2:2", 2), ("4:4:4", 3), ("4:0:0", 1)])
def test_the_coded_size_is_read(subsampling: str, bytes_per_pixel: float) -> None:
    data = coded(size=(81, 60), subsampling=subsampling)
    assert av1.find_coded_picture(data) == CodedPicture(81, 60, bytes_per_pixel)


def test_the_header_of_a_sequence_is_read() -> None:
    """It is longer than that of a still picture."""
    data = coded(save_all=True, append_images=[drawing(), drawing()])
    assert av1.find_coded_picture(data) == CodedPicture(80, 60, 1.5)


def test_of_several_sizes_the_largest_counts() -> None:
    together = coded(size=(80, 60)) + coded(size=(640, 8))
    assert av1.find_coded_picture(together) == CodedPicture(640, 60, 1.5)


def test_data_without_a_sequence_header_is_refused() -> None:
    for data in (b"", b"\x12\0", b"\x12\xff\xff\xff\xff\xff\xff\xff\xff", b"\x0a\2\0"):
        with pytest.raises(ValueError, match=r"sequence header|length of a unit|truncated"):
            av1.find_coded_picture(data)


def test_units_and_frames_are_bounded() -> None:
    with pytest.raises(PictureTooLarge, match="1,000 units"):
        av1.find_coded_picture(b"\x12\0" * 2000)
    with pytest.raises(PictureTooLarge, match="8 frames"):
        av1.find_coded_picture(coded() + b"\x32\0" * 20)
