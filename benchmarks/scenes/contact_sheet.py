"""Draws many pictures small on one sheet, each with its kind, its digit and the answer."""

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from benchmarks.scenes.results import Case
from benchmarks.scenes.textures import Grey

_TILE = 150
_TEXT = 30
_COLUMNS = 10


def save_contact_sheet(path: Path, cases: Sequence[Case]) -> None:
    """Save the pictures of `cases` as one PNG."""
    rows = max(-(-len(cases) // _COLUMNS), 1)
    sheet = Image.new("RGB", (_COLUMNS * (_TILE + 6), rows * (_TILE + _TEXT + 6)), (255, 255, 255))
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(11)
    for index, case in enumerate(cases):
        left, top = index % _COLUMNS * (_TILE + 6) + 3, index // _COLUMNS * (_TILE + _TEXT + 6) + 3
        sheet.paste(Image.fromarray(case.thumbnail), (left, top))
        draw.rectangle((left - 1, top - 1, left + _TILE, top + _TILE), outline=(180, 180, 180))
        truth = "none" if case.digit is None else case.digit
        colour = (200, 0, 0) if case.is_trusted else (0, 90, 0)
        draw.text((left, top + _TILE + 1), case.kind[:25], (0, 0, 0), font)
        text = f"{truth} > {case.answer.digit} {case.answer.confidence:.2f} {case.answer.reason or 'trusted'}"
        draw.text((left, top + _TILE + 14), text, colour, font)
    sheet.save(path)


def thumbnail(picture: Grey) -> Grey:
    """Return a picture, uint8 (h, w) or (h, w, 3), in the size of the sheet's tiles, uint8 (h, w, 3)."""
    colours = cv2.cvtColor(picture, cv2.COLOR_GRAY2RGB) if picture.ndim == 2 else picture
    factor = _TILE / max(colours.shape)
    size = tuple(max(round(side * factor), 1) for side in colours.shape[1::-1])
    method = cv2.INTER_AREA if factor < 1 else cv2.INTER_NEAREST
    return np.asarray(cv2.resize(colours, size, interpolation=method), np.uint8)
