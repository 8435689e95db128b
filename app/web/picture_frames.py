"""The response header that tells that only the first page or frame of a picture was used."""

import asyncio
from collections.abc import Mapping, Sequence

from imaging import count_frames

HEADER = "X-Picture-Frame"
_MAX_FILES = 20
"""The most files of a batch that the header lists, because clients limit the length of headers."""
_NO_HEADERS: Mapping[str, str] = {}


def frame_headers(pictures: Sequence[bytes]) -> Mapping[str, str]:
    """Return the header for a request with one picture: `first of 3`; or none if it has one frame."""
    frames = count_frames(pictures[0])
    return {HEADER: f"first of {frames}"} if frames > 1 else _NO_HEADERS


async def frame_headers_of_several(pictures: Sequence[bytes]) -> Mapping[str, str]:
    """Return the header for a request with several pictures: `file 2: first of 3, file 5: first of 2`."""
    found = []
    for number, picture in enumerate(pictures, 1):
        if (frames := count_frames(picture)) > 1:
            found.append(f"file {number}: first of {frames}")
        await asyncio.sleep(0)  # counting may take some milliseconds
    more = [f"{len(found) - _MAX_FILES} more files"] if len(found) > _MAX_FILES else []
    return {HEADER: ", ".join(found[:_MAX_FILES] + more)} if found else _NO_HEADERS
