"""Chooses the media type that an Accept header prefers (RFC 9110, section 12.5.1). Knows no media type by name."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

_MAX_RANGES = 50
"""Browsers send five. A head can hold 30,000, which would take 0.2 seconds."""
_QUALITY = re.compile(r"0(\.[0-9]{0,3})?|1(\.0{0,3})?")


class Choice(NamedTuple):
    """The media type of the response."""

    media_type: str
    ranges: str
    """The ranges of the Accept header that name it, with parameters, the best first; the media type if none does."""


@dataclass(frozen=True)
class _Range:
    """One element of an Accept header."""

    media_type: str  # in lower case
    parameters: str  # the parameters before the quality, each with its semicolon
    quality: float


def negotiate(accept: str, offered: Sequence[str]) -> Choice:
    """Choose one of the offered media types.

    The type with the highest quality is chosen; of several, the type that the header names first, or the first offered
    if the header names none of them. Parameters of a range do not restrict the choice; the caller interprets them. If
    the header accepts none of the types, it is ignored.

    Args:
        accept: the header's value; the values of several headers are joined by commas.
        offered: the media types in lower case; the first is the default.

    """
    ranges = _parse(accept)
    qualities = {type_: _quality(type_, ranges) for type_ in offered}
    named = [range_.media_type for range_ in ranges if range_.quality > 0]
    best = max(qualities.values())
    candidates = [type_ for type_ in offered if best > 0 and qualities[type_] == best] or offered[:1]
    chosen = min(candidates, key=lambda type_: named.index(type_) if type_ in named else len(named))
    matching = [range_ for range_ in ranges if range_.media_type == chosen and range_.quality > 0]
    matching.sort(key=lambda range_: -range_.quality)
    return Choice(chosen, ",".join(range_.media_type + range_.parameters for range_ in matching) or chosen)


def _parse(accept: str) -> list[_Range]:
    """Parse the first ranges of a header. A range whose quality is not a number from 0 to 1 is ignored."""
    ranges = []
    for text in accept.split(",", _MAX_RANGES)[:_MAX_RANGES]:
        media_type, *parameters = (part.strip() for part in text.split(";"))
        indices = [index for index, parameter in enumerate(parameters) if parameter.lower().startswith("q=")]
        end = indices[0] if indices else len(parameters)
        quality = parameters[end][2:] if indices else "1"
        if media_type and _QUALITY.fullmatch(quality):
            before = "".join(f";{parameter}" for parameter in parameters[:end])
            ranges.append(_Range(media_type.lower(), before, float(quality)))
    return ranges


def _quality(media_type: str, ranges: Sequence[_Range]) -> float:
    """Return the quality of a media type, from the most specific ranges that match it."""
    if not ranges:
        return 1.0
    for name in (media_type, f"{media_type.partition('/')[0]}/*", "*/*"):
        if found := [range_.quality for range_ in ranges if range_.media_type == name]:
            return max(found)
    return 0.0
