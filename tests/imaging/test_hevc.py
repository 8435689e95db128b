import pytest
from PIL import Image

from imaging import hevc
from imaging.container import CodedPicture
from imaging.heif import _parse_meta
from tests.imaging.heif_files import drawing, save


def parts(picture: Image.Image, **options: object) -> tuple[bytes, bytes]:
    """Return the decoder configuration and the coded data of a picture."""
    meta = _parse_meta(save(picture, "HEIF", **options))
    configuration = meta.property_of(meta.primary, b"hvcC")
    assert configuration is not None
    return configuration, meta.content_of(meta.primary)


@pytest.mark.parametrize(
    ("chroma", "bytes_per_pixel"),
    [(420, 1.5), (422, 2), (444, 3)],
)
def test_the_coded_size_is_read(chroma: int, bytes_per_pixel: float) -> None:
    found = hevc.find_coded_picture(*parts(drawing(size=(80, 60)), chroma=chroma))
    assert found.bytes_per_pixel == bytes_per_pixel
    assert 80 <= found.width <= 96
    assert 60 <= found.height <= 64


def test_a_grey_picture_has_one_plane() -> None:
    assert hevc.find_coded_picture(*parts(drawing("L", (128, 64)))) == CodedPicture(128, 64, 1)


def test_several_pictures_or_other_parameters_in_the_data_are_refused() -> None:
    configuration, data = parts(drawing())
    with pytest.raises(ValueError, match="2 pictures"):
        hevc.find_coded_picture(configuration, data * 2)
    with pytest.raises(ValueError, match="0 pictures"):
        hevc.find_coded_picture(configuration, b"")
    parameters = b"\0\0\0\2" + bytes((33 << 1, 1))
    with pytest.raises(ValueError, match="parameter sets"):
        hevc.find_coded_picture(configuration, parameters + data)


def test_a_configuration_without_sequence_parameters_is_refused() -> None:
    configuration, data = parts(drawing())
    with pytest.raises(ValueError, match="no sequence parameters"):
        hevc.find_coded_picture(configuration[:22] + b"\0", data)
    with pytest.raises((ValueError, IndexError)):
        hevc.find_coded_picture(configuration[:60], data)


def test_the_number_of_units_is_bounded() -> None:
    configuration, _ = parts(drawing())
    with pytest.raises(Exception, match="20,000 units"):
        hevc.find_coded_picture(configuration, b"\0\0\0\1\x4e" * 30_000)
