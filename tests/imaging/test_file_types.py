"""The refusal of a file that is no supported picture says what it is."""

import base64
import gzip
import io

import pytest
from PIL import Image

from imaging import UnsupportedPicture, decode

_FILE = io.BytesIO()
Image.new("L", (28, 28), 200).save(_FILE, "PNG")
PNG = _FILE.getvalue()

SVG = '<svg xmlns="http://www.w3.org/2000/svg"/>'
FILES = {
    "a JPEG 2000 picture": [b"\0\0\0\x0cjP  \r\n\x87\n" + bytes(40), b"\xff\x4f\xff\x51" + bytes(40)],
    "a JPEG XL picture": [b"\xff\x0a" + bytes(40), b"\0\0\0\x0cJXL \r\n\x87\n"],
    "an SVG drawing": [
        SVG.encode(),
        b'\xef\xbb\xbf <?xml version="1.0"?>\n<!-- drawn -->\n<!DOCTYPE svg PUBLIC "-//W3C//DTD SVG 1.1//EN" "">'
        + SVG.encode(),
        SVG.encode("utf-16"),
        b'<svg:svg xmlns:svg="http://www.w3.org/2000/svg">',
    ],
    "a PDF document": [b"%PDF-1.7\n%\xe2\xe3", b"junk before\n%PDF-1.4"],
    "an HTML page": [b"<!DOCTYPE html><html><svg></svg>", b"<html>"],
    "an XML document": [b'<?xml version="1.0"?><a/>'],
    "a raw photograph": [b"\0\0\0\x18ftypcrx \0\0\0\1"],
    "an MP4 or QuickTime video": [b"\0\0\0\x20ftypisom" + bytes(20), b"\0\0\0\x14ftypqt  "],
    "a Photoshop document": [b"8BPS\0\1"],
    "a Windows icon": [b"\0\0\1\0\1\0"],
    "a PostScript document": [b"%!PS-Adobe-3.0 EPSF-3.0"],
    "a RIFF file": [b"RIFF\0\0\0\0AVI LIST"],
    "compressed with gzip": [gzip.compress(PNG)],
    "a ZIP archive": [b"PK\3\4\x14\0"],
    "a NumPy array": [b"\x93NUMPY\1\0"],
    "a data URL": [b"data:image/png;base64," + base64.b64encode(PNG), b" DATA:,x"],
    "a picture in base64": [
        base64.b64encode(PNG),
        base64.encodebytes(PNG),
        base64.urlsafe_b64encode(b"\xff\xd8\xff\xe0" + bytes(20)),
        b'"' + base64.b64encode(b"GIF89a" + bytes(20)) + b'"',
    ],
    "JSON": [b'{"instances": []}', b"[[0, 1]]"],
    "text ('seven')": [b"seven", b"\xef\xbb\xbfseven\n"],
    "read and written as text": [PNG.decode("latin-1").encode(), PNG.decode("utf-8", "replace").encode()],
}


@pytest.mark.parametrize(("name", "files"), FILES.items(), ids=FILES)
def test_the_type_of_the_file_is_named(name: str, files: list[bytes]) -> None:
    for data in files:
        with pytest.raises(UnsupportedPicture) as refusal:
            decode(data)
        assert f"The file is {name}" in str(refusal.value) or name in str(refusal.value)
        assert "Supported: PNG, JPEG" in str(refusal.value)


@pytest.mark.parametrize("data", [b"", b"\0\1\2", b"\x93\x01", b"AAAA\0", bytes(range(255)), b"\xff\xff\xff"])
def test_other_files_are_quoted(data: bytes) -> None:
    with pytest.raises(UnsupportedPicture, match=rf"The {len(data)} bytes"):
        decode(data)
