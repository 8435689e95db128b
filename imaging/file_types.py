"""Names the type of a file that is no supported picture, for the message of its refusal. Decodes nothing."""

import base64
import binascii
import re
from collections.abc import Callable

_BEGINNING = 4096
"""The bytes that are searched."""
_QUOTED = 40
"""The characters of a text that are repeated in the message."""

_SAVE = "Save it as a PNG or JPEG."
_UNPACK = "Unpack it, and send the picture itself."
_FRAME = "Send one frame as a JPEG or PNG."

_SIGNATURES: dict[bytes, tuple[str, str]] = {
    b"\x00\x00\x00\x0cjP  \r\n\x87\n": ("a JPEG 2000 picture", _SAVE),
    b"\xff\x4f\xff\x51": ("a JPEG 2000 picture", _SAVE),
    b"\x00\x00\x00\x0cJXL \r\n\x87\n": ("a JPEG XL picture", _SAVE),
    b"\xff\x0a": ("a JPEG XL picture", _SAVE),
    b"II\xbc\x01": ("a JPEG XR picture", _SAVE),
    b"\x97JB2\r\n": ("a JBIG2 picture", _SAVE),
    b"\x00\x00\x01\x00": ("a Windows icon", _SAVE),
    b"8BPS": ("a Photoshop document", _SAVE),
    b"gimp xcf": ("a GIMP document", _SAVE),
    b"\x76\x2f\x31\x01": ("an OpenEXR picture", _SAVE),
    b"qoif": ("a QOI picture", _SAVE),
    b"FUJIFILMCCD-RAW": ("a raw photograph of a camera", _SAVE),
    b"%!PS": ("a PostScript document", _SAVE),
    b"\xc5\xd0\xd3\xc6": ("a PostScript document", _SAVE),
    b"\xd7\xcd\xc6\x9a": ("a Windows metafile", _SAVE),
    b"\x1a\x45\xdf\xa3": ("a WebM or Matroska video", _FRAME),
    b"\x1f\x8b": ("compressed with gzip", _UNPACK),
    b"BZh": ("compressed with bzip2", _UNPACK),
    b"\xfd7zXZ\x00": ("compressed with xz", _UNPACK),
    b"\x28\xb5\x2f\xfd": ("compressed with Zstandard", _UNPACK),
    b"PK\x03\x04": ("a ZIP archive or an office document", _UNPACK),
    b"7z\xbc\xaf\x27\x1c": ("a 7z archive", _UNPACK),
    b"Rar!\x1a\x07": ("a RAR archive", _UNPACK),
    b"\x93NUMPY": ("a NumPy array", "Encode the array as a PNG."),
    b"\x80\x04\x95": ("a Python pickle", "Encode the array as a PNG."),
    b"\x80\x05\x95": ("a Python pickle", "Encode the array as a PNG."),
}
"""What each beginning shows, and what to do."""

_DAMAGED = (
    "a binary file that was read and written as text, which destroys it",
    "Read and send the picture as bytes.",
)
_DAMAGED_SIGNATURES = (
    b"\xef\xbf\xbd",  # the replacement character
    b"\xc2\x89PNG",
    b"\xc3\xbf\xc3\x98",
    b"\x89PNG\n",
    b"\x89PNG\r\r\n",
)
_TEXT = re.compile(rb"[\t\n\f\r\x20-\x7e\x80-\xff]+")
_BASE64 = re.compile(rb"[A-Za-z0-9+/_\-]{8,}={0,2}")
_BYTE_ORDER_MARKS = (b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff")
_MARKUP = {
    b"svg": ("an SVG drawing", "Render it to a PNG."),
    b"html": ("an HTML page", "Send the picture itself, not the page that shows it."),
}


def describe_file(data: bytes, is_picture: Callable[[bytes], bool]) -> str | None:
    """Say what the file `data` is, and what to do, in one or two sentences.

    Args:
        data: The file.
        is_picture: Tells whether some bytes begin like a supported picture.

    Returns:
        The sentences, or None if the type is not known.

    """
    found = _find_type(data, is_picture)
    return None if found is None else f"The file is {found[0]}, not a picture in a supported format. {found[1]}"


def _find_type(data: bytes, is_picture: Callable[[bytes], bool]) -> tuple[str, str] | None:
    beginning = data[:_BEGINNING]
    for signature, found in _SIGNATURES.items():
        if data.startswith(signature):
            return found
    if b"%PDF-" in beginning[:1024]:
        return "a PDF document", "Send a page as a PNG or JPEG."
    if data[4:8] in {b"ftyp", b"moov", b"mdat"}:
        return _describe_media(data[8:12])
    if data.startswith(b"RIFF"):
        return "a RIFF file, such as an AVI video or a WAV recording", _FRAME
    if data.startswith(_DAMAGED_SIGNATURES):
        return _DAMAGED
    return _describe_text(beginning, is_picture)


def _describe_media(brand: bytes) -> tuple[str, str]:
    if brand.startswith(b"crx"):
        return "a raw photograph of a camera", _SAVE
    return "an MP4 or QuickTime video", _FRAME


def _describe_text(beginning: bytes, is_picture: Callable[[bytes], bool]) -> tuple[str, str] | None:
    if beginning.startswith(_BYTE_ORDER_MARKS):
        beginning = beginning.translate(None, b"\0\xfe\xff\xef\xbb\xbf")
    text = beginning.strip()
    if not text or not _TEXT.fullmatch(text):
        return None
    if text[:5].lower() == b"data:":
        return "a data URL", "Decode the base64 after its comma, and send these bytes."
    encoded = _BASE64.match(text.lstrip(b"\"'").translate(None, b"\r\n"))
    if encoded is not None and is_picture(_decode_base64(encoded[0])):
        return "a picture in base64", "Decode it, and send the bytes."
    if text.startswith(b"<"):
        return _describe_markup(text)
    if text[:1] in b"{[":
        return "JSON", "Send the picture itself."
    # Bytes above 127 alone do not make a text: a short binary file may have no control characters.
    quoted = text[:_QUOTED].decode("ascii", "ignore")
    return (f"text ({quoted!r})", "Send the picture itself.") if text.isascii() else None


def _decode_base64(text: bytes) -> bytes:
    text = text.rstrip(b"=").translate(bytes.maketrans(b"-_", b"+/"))
    try:
        return base64.b64decode(text[: len(text) // 4 * 4])
    except binascii.Error:
        return b""


def _describe_markup(text: bytes) -> tuple[str, str]:
    names = (name.lower() for name in re.findall(rb"<(?:\w+:)?(?:!doctype\s+)?(svg|html)\b", text, re.IGNORECASE))
    return _MARKUP.get(next(names, b""), ("an XML document", "Send the picture itself."))
