"""Chooses what an Accept header prefers (RFC 9110, section 12.5.1). Knows none of the media types by name."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

_MAX_RANGES = 50
"""Browsers send five. Of 30,000, which a head can hold, choosing would take 0.2 seconds."""
_QUALITY = re.compile(r"0(\.[0-9]{0,3})?|1(\.0{0,3})?")


class Choice(NamedTuple):
    """What was chosen."""

    media_type: str
    ranges: str
    """The ranges that name it, with their parameters, as in an Accept header: the best first. If none does, itself."""


@dataclass(frozen=True)
class _Range:
    """One element of an Accept header."""

    media_type: str  # in lower case
    parameters: str  # those before the quality, which begin with a semicolon if there are any
    quality: float


def negotiate(accept: str, offered: Sequence[str]) -> Choice:
    """Choose one of the media types offered, in lower case.

    Of those that are liked as much, the one that the header names first is taken, or the first offered if it names none
    of them. Parameters of a range narrow nothing down: whoever offers a type knows what to make of them. A header that
    takes none of the types is passed over.

    Args:
        accept: the header; with several, all of them, separated by commas.
        offered: the media types; first the one that is taken where the header has no wish.

    """
    ranges = _parse(accept)
    qualities = {type_: _quality(type_, ranges) for type_ in offered}
    named = [range_.media_type for range_ in ranges if range_.quality > 0]
    best = max(qualities.values())
    liked = [type_ for type_ in offered if best > 0 and qualities[type_] == best] or offered[:1]
    chosen = min(liked, key=lambda type_: named.index(type_) if type_ in named else len(named))
    matching = [range_ for range_ in ranges if range_.media_type == chosen and range_.quality > 0]
    matching.sort(key=lambda range_: -range_.quality)
    return Choice(chosen, ",".join(range_.media_type + range_.parameters for range_ in matching) or chosen)


def _parse(accept: str) -> list[_Range]:
    """Read the first ranges of a header; one whose quality is no number from 0 to 1 is passed over."""
    ranges = []
    for text in accept.split(",", _MAX_RANGES)[:_MAX_RANGES]:
        media_type, *parameters = (part.strip() for part in text.split(";"))
        places = [place for place, parameter in enumerate(parameters) if parameter.lower().startswith("q=")]
        end = places[0] if places else len(parameters)
        quality = parameters[end][2:] if places else "1"
        if media_type and _QUALITY.fullmatch(quality):
            before = "".join(f";{parameter}" for parameter in parameters[:end])
            ranges.append(_Range(media_type.lower(), before, float(quality)))
    return ranges


def _quality(media_type: str, ranges: Sequence[_Range]) -> float:
    """Say how much a type is liked: by the ranges that are most specific about it."""
    if not ranges:
        return 1.0
    for name in (media_type, f"{media_type.partition('/')[0]}/*", "*/*"):
        if found := [range_.quality for range_ in ranges if range_.media_type == name]:
            return max(found)
    return 0.0
