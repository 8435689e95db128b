"""Loads the files of the web page, and gives them addresses that change with their content. Knows no HTTP."""

import gzip
import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

_MEDIA_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".webp": "image/webp",
}
INDEX = "index.html"
_PREFIX = b'="page/'
"""The beginning of each reference to another file in the index."""


class PageFile(NamedTuple):
    """One file."""

    body: bytes
    gzipped: bytes
    media_type: str


class PageFiles:
    """All files of the folder `page`.

    The index refers to the other files by a path that contains a digest of all files, and the other files refer to each
    other by relative paths. So the digest is in the address of each: browsers may cache the files for ever, and a new
    page never loads an old script.
    """

    def __init__(self, folder: Path) -> None:
        bodies = {path.name: path.read_bytes() for path in sorted(folder.iterdir()) if path.suffix in _MEDIA_TYPES}
        self.digest = _digest(b"\0".join(part for name, body in bodies.items() for part in (name.encode(), body)))
        bodies[INDEX] = bodies[INDEX].replace(_PREFIX, _PREFIX + self.digest.encode() + b"/")
        self.files: Mapping[str, PageFile] = {
            name: PageFile(body, gzip.compress(body, mtime=0), _MEDIA_TYPES[Path(name).suffix])
            for name, body in bodies.items()
        }


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:16]
