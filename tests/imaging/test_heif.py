"""HEIC and AVIF files: the primary picture is decoded, and sizes that contradict each other are refused."""

import struct
import time

import numpy as np
import pytest
from PIL import Image, ImageOps

from imaging import (
    PictureError,
    PictureTooLarge,
    UnreadablePicture,
    UnsupportedPicture,
    count_frames,
    decode,
    heif,
    is_cheap_to_decode,
)
from imaging.boxes import build_box
from tests.imaging.heif_files import drawing, save, with_properties, with_size

FORMATS = ("HEIF", "AVIF")


def difference(pixels: np.ndarray, picture: Image.Image) -> float:
    grey = pixels if pixels.ndim == 2 else pixels.mean(axis=2)
    return float(np.abs(grey - np.asarray(picture.convert("L"), np.float64)).mean())


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("mode", ["L", "RGB"])
@pytest.mark.parametrize("size", [(80, 60), (81, 67)])
def test_a_picture_is_decoded(name: str, mode: str, size: tuple[int, int]) -> None:
    picture = drawing(mode, size)
    pixels = decode(save(picture, name))
    assert pixels.shape[:2] == size[::-1]
    assert difference(pixels, picture) < 4


@pytest.mark.parametrize("name", FORMATS)
def test_transparent_pixels_get_a_background(name: str) -> None:
    pixels = decode(save(drawing("RGBA"), name))
    assert pixels[0, 0].min() > 240
    assert pixels[10:50, 10:60].min() < 40


def test_a_picture_of_tiles_is_decoded_as_iphones_write_it() -> None:
    picture = drawing(size=(150, 100))
    data = save(picture, "HEIF", tile_size=64)
    assert b"grid" in data
    assert difference(decode(data), picture) < 4
    assert count_frames(data) == 1


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_rotated_picture_is_turned_upright(name: str, orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    picture = drawing()
    picture.info["exif"] = exif.tobytes()
    upright = ImageOps.exif_transpose(picture)
    pixels = decode(save(picture, name, exif=exif.tobytes()))
    assert difference(pixels, upright) < 4


@pytest.mark.parametrize("name", FORMATS)
def test_only_the_clean_aperture_is_shown(name: str) -> None:
    picture = drawing(size=(96, 64))
    numbers = (50, 1, 41, 2, -4, 1, 3, 2)  # 50 x 20.5 pixels, 4 to the left of the middle and 1.5 below it
    data = with_properties(save(picture, name), build_box(b"clap", struct.pack(">LLLLlLlL", *numbers)))
    pixels = decode(data)
    assert difference(pixels, picture.crop((19, 23, 69, 43))) < 4
    outside = (50, 1, 41, 2, 40, 1, 0, 1)
    data = with_properties(save(picture, name), build_box(b"clap", struct.pack(">LLLLlLlL", *outside)))
    assert decode(data).shape[:2] == (64, 96)


@pytest.mark.parametrize("name", FORMATS)
def test_the_decoder_receives_the_primary_picture_alone(name: str) -> None:
    exif = b"Exif\0\0II*\0\x08\0\0\0" + bytes(20_000)
    data = save(drawing(), name, exif=exif, icc_profile=bytes(30_000))
    assert len(data) > 50_000
    assert len(heif.inspect(data).data) < 3_000


def test_a_second_picture_is_counted_and_the_primary_one_decoded() -> None:
    first, second = drawing(), Image.new("RGB", (64, 64))
    data = save(first, "HEIF", save_all=True, append_images=[second])
    assert count_frames(data) == 2
    assert difference(decode(data), first) < 4


def test_the_frames_of_an_animation_are_counted_and_the_first_is_decoded() -> None:
    first = drawing()
    data = save(first, "AVIF", save_all=True, append_images=[first.rotate(90), first.rotate(180)])
    assert count_frames(data) == 3
    assert difference(decode(data), first) < 4


def test_moving_pictures_alone_are_named() -> None:
    data = build_box(b"ftyp", b"hevc", bytes(4), b"msf1") + build_box(b"moov", bytes(100))
    with pytest.raises(UnsupportedPicture, match=r"moving pictures.*JPEG or PNG"):
        decode(data)


def test_other_codecs_are_named() -> None:
    data = save(drawing(), "HEIF").replace(b"hvc1", b"vvc1")
    with pytest.raises(UnsupportedPicture, match="type 'vvc1'"):
        decode(data)


@pytest.mark.parametrize("name", FORMATS)
def test_a_size_that_is_not_that_of_the_codec_is_refused_before_decoding(name: str) -> None:
    data = save(drawing(size=(800, 608)), name)
    for size in ((4000, 3000), (800, 600 - 64), (16, 16)):
        with pytest.raises(UnreadablePicture, match="codec announces 800 x 608"):
            decode(with_size(data, (800, 608), size))


@pytest.mark.parametrize("name", FORMATS)
def test_the_limit_of_pixels_holds(name: str) -> None:
    with pytest.raises(PictureTooLarge, match="80 x 60"):
        decode(save(drawing(), name), max_pixels=4799)


def test_large_pictures_are_never_cheap() -> None:
    for name in FORMATS:
        assert not is_cheap_to_decode(save(drawing(size=(16, 16)), name))


@pytest.mark.parametrize(("name", "least", "most"), [("HEIF", 4.5, 5.5), ("AVIF", 7.5, 8.5)])
def test_the_memory_of_the_decoder_is_estimated(name: str, least: float, most: float) -> None:
    container = heif.inspect(save(drawing(size=(640, 480)), name))
    assert least < container.buffers / (640 * 480) < most


def test_the_tiles_of_a_large_photograph_need_little_memory() -> None:
    data = save(Image.new("RGB", (2000, 1500), 200), "HEIF", tile_size=512)
    assert heif.inspect(data).buffers < 5.5 * 2000 * 1500


def test_tiles_that_share_their_content_are_refused() -> None:
    data = bytearray(save(drawing(size=(150, 100)), "HEIF", tile_size=64))
    meta = heif._parse_meta(bytes(data))
    reference = struct.pack(">H", len(meta.parts_of(meta.primary))) + b"".join(
        struct.pack(">H", part) for part in meta.parts_of(meta.primary)
    )
    at = data.index(reference)
    data[at + 4 : at + 6] = data[at + 2 : at + 4]
    with pytest.raises(UnreadablePicture, match="overlap"):
        decode(bytes(data))


@pytest.mark.parametrize("box", [b"iinf", b"iloc", b"iprp", b"pitm"])
def test_a_file_without_one_of_its_boxes_is_refused(box: bytes) -> None:
    with pytest.raises(UnreadablePicture, match=box.decode()):
        decode(save(drawing(), "HEIF").replace(box, b"free"))


def test_very_many_items_are_refused_in_little_time() -> None:
    entries = b"".join(
        build_box(b"infe", struct.pack(">BxxxHH4sB", 2, number, 0, b"hvc1", 0)) for number in range(9999)
    )
    items = build_box(b"iinf", struct.pack(">LH", 0, 9999), entries)
    rest = build_box(b"pitm", struct.pack(">LH", 0, 1)) + build_box(b"iloc", bytes(8)) + build_box(b"iprp")
    data = build_box(b"ftyp", b"heic", bytes(4), b"mif1") + build_box(b"meta", bytes(4), items, rest)
    started = time.process_time()
    with pytest.raises(PictureTooLarge, match="2,000 items"):
        decode(data)
    assert count_frames(data) == 1
    assert time.process_time() - started < 0.3


@pytest.mark.parametrize("name", FORMATS)
def test_a_truncated_file_is_refused(name: str) -> None:
    data = save(drawing(), name)
    for end in (12, 40, len(data) // 2, len(data) - 20):
        with pytest.raises(PictureError):
            decode(data[:end])


def test_the_brands_decide_what_the_file_is_called() -> None:
    assert heif.has_signature(save(drawing(), "HEIF"))
    assert heif.is_avif(save(drawing(), "AVIF"))
    assert not heif.is_avif(save(drawing(), "HEIF"))
    assert not heif.has_signature(build_box(b"ftyp", b"isom", bytes(4), b"mp42"))
    assert not heif.has_signature(b"")
