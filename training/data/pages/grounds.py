"""Grounds on which digits stand: paper, desks, notes, boards, screens, and what surrounds them. Knows no digits.

Each function draws on a canvas, and returns the box in which the writing belongs.
"""

import cv2
import numpy as np
import numpy.typing as npt

from training.data.pages.canvas import Box, Canvas, Colour, Coverage
from training.data.pages.pens import smooth_noise


def draw_ground(canvas: Canvas, rng: np.random.Generator) -> Box:
    """Draw a random ground, and return the box for the writing."""
    kinds = (
        (0.18, draw_plain),
        (0.24, draw_paper),
        (0.13, draw_sheet_on_desk),
        (0.11, draw_note),
        (0.08, draw_whiteboard),
        (0.06, draw_blackboard),
        (0.07, draw_panel),
        (0.13, draw_crumpled_paper),
    )
    shares = np.array([share for share, _ in kinds])
    return kinds[rng.choice(len(kinds), p=shares / shares.sum())][1](canvas, rng)


def draw_plain_or_paper(canvas: Canvas, rng: np.random.Generator) -> Box:
    """Draw one colour or paper: the usual grounds of numbers and sheets."""
    return (draw_plain if rng.random() < 0.5 else draw_paper)(canvas, rng)


def whole(canvas: Canvas) -> Box:
    """Return the box of the whole canvas."""
    return Box(0, 0, canvas.width, canvas.height)


def draw_plain(canvas: Canvas, rng: np.random.Generator) -> Box:
    """Draw one colour, as drawing programs do: mostly white or black."""
    choice = rng.random()
    level = 255.0 if choice < 0.45 else 0.0 if choice < 0.75 else rng.uniform(0, 255)
    canvas.pixels[:] = level if choice < 0.85 else rng.uniform(0, 255, 3)
    return whole(canvas)


def draw_paper(canvas: Canvas, rng: np.random.Generator) -> Box:
    """Draw paper with a tint, uneven light and grain."""
    canvas.pixels[:] = _paper_colour(rng)
    light = 1 - rng.uniform(0, 0.4) * smooth_noise(canvas.pixels.shape[:2], int(rng.integers(1, 4)), rng)
    canvas.shade(light)
    _add_grain(canvas, rng.uniform(0, 6), rng)
    return whole(canvas)


def draw_crumpled_paper(canvas: Canvas, rng: np.random.Generator) -> Box:
    """Draw paper that was crumpled or folded: each facet has its own light."""
    draw_paper(canvas, rng)
    if rng.random() < 0.4:
        _crumple_into_facets(canvas, rng)
        return whole(canvas)
    y, x = np.mgrid[: canvas.height, : canvas.width].astype(np.float32)
    strength = rng.uniform(0.05, 0.45)
    light = np.ones((canvas.height, canvas.width), np.float32)
    for _ in range(rng.integers(1, 14)):
        angle, slope = rng.uniform(0, 2 * np.pi), rng.uniform(0.002, 0.03)
        distance = (x - rng.uniform(0, canvas.width)) * np.cos(angle) + (y - rng.uniform(0, canvas.height)) * np.sin(
            angle
        )
        side = np.clip(distance / rng.uniform(0.5, 6), -1, 1)  # a step at the fold, which fades on both sides
        fold = side * np.exp(-np.abs(distance) * slope)
        light += strength * rng.uniform(0.1, 0.5) * fold.astype(np.float32)
        if rng.random() < 0.5:  # the edge itself catches the light, or lies in its own shadow
            edge = np.exp(-((distance / rng.uniform(0.6, 2.0)) ** 2)) * smooth_noise(light.shape, 3, rng)
            light += (rng.uniform(-0.5, 0.3) * edge).astype(np.float32)
    canvas.shade(np.clip(light, 0.2, 1.5))
    return whole(canvas)


def _crumple_into_facets(canvas: Canvas, rng: np.random.Generator) -> None:
    """Shade facets with straight edges, each by a level and a slope of its own."""
    count = int(np.exp(rng.uniform(np.log(5), np.log(150))))
    y, x = np.mgrid[: canvas.height, : canvas.width].astype(np.float32)
    seeds = (rng.random((count, 2)) * [canvas.width, canvas.height]).astype(int)
    points = np.ones((canvas.height, canvas.width), np.uint8)
    points[seeds[:, 1], seeds[:, 0]] = 0
    _, facets = cv2.distanceTransformWithLabels(points, cv2.DIST_L2, cv2.DIST_MASK_5, labelType=cv2.DIST_LABEL_PIXEL)
    levels = rng.normal(0, 1, (3, int(facets.max()) + 1)).astype(np.float32)
    level, right, down = (each[facets] for each in levels)
    slope = right * (x / canvas.width - 0.5) + down * (y / canvas.height - 0.5)
    light = 1 + rng.uniform(0.02, 0.14) * (level + rng.uniform(0, 2) * slope)
    canvas.shade(np.clip(light, 0.3, 1.4).astype(np.float32))


def draw_desk(canvas: Canvas, rng: np.random.Generator) -> Box:
    """Draw a table, a cloth or a carpet."""
    height, width = canvas.pixels.shape[:2]
    colour = rng.uniform(10, 235) * rng.uniform(0.6, 1, 3).astype(np.float32)
    canvas.pixels[:] = colour
    kind = rng.random()
    if kind < 0.45:  # wood: noise that is stretched along the boards
        coarse = rng.random((int(rng.integers(20, 120)), int(rng.integers(2, 6))), np.float32)
        grain = cv2.resize(coarse if rng.random() < 0.5 else np.ascontiguousarray(coarse.T), (width, height))
        canvas.shade(1 + rng.uniform(0.1, 0.7) * (np.asarray(grain, np.float32) - 0.5))
    elif kind < 0.7:  # cloth
        cells = rng.random((height // int(rng.integers(1, 5)) + 1, width // int(rng.integers(1, 5)) + 1), np.float32)
        weave = cv2.resize(cells, (width, height), interpolation=cv2.INTER_NEAREST)
        canvas.shade(1 + rng.uniform(0.1, 0.8) * (np.asarray(weave, np.float32) - 0.5))
    canvas.shade(1 - rng.uniform(0, 0.4) * smooth_noise((height, width), 2, rng))
    _add_grain(canvas, rng.uniform(0, 8), rng)
    return whole(canvas)


def draw_sheet_on_desk(canvas: Canvas, rng: np.random.Generator) -> Box:
    """Draw a sheet of paper on a desk: one to all four of its edges are on the page."""
    draw_desk(canvas, rng)
    desk = canvas.pixels
    canvas.pixels = np.empty_like(desk)
    (draw_crumpled_paper if rng.random() < 0.15 else draw_paper)(canvas, rng)
    paper = canvas.pixels
    edges = rng.random(4) < rng.choice([0.3, 0.6, 1.0])
    edges[rng.integers(4)] = True
    depth = np.where(edges, rng.uniform(0.02, 0.3, 4), -0.3) * np.array([canvas.width, canvas.height] * 2)
    left, top, right, bottom = depth[0], depth[1], canvas.width - depth[2], canvas.height - depth[3]
    sheet = _quadrilateral(canvas, Box(left, top, right - left, bottom - top), rng, tilt=rng.uniform(-0.15, 0.15))
    _cast_shadow(desk, sheet, rng)
    canvas.pixels = desk + sheet[..., np.newaxis] * (paper - desk)
    return _inside(canvas, Box(left, top, right - left, bottom - top))


def draw_note(canvas: Canvas, rng: np.random.Generator) -> Box:
    """Draw a coloured note on paper, on a desk or on a board."""
    (draw_desk if rng.random() < 0.7 else draw_paper)(canvas, rng)
    ground = canvas.pixels.copy()
    side = rng.uniform(0.45, 0.9) * min(canvas.width, canvas.height)
    height = side * rng.uniform(0.8, 1.1)
    left = rng.uniform(0, canvas.width - side)
    top = rng.uniform(0, max(canvas.height - height, 1))
    note = _quadrilateral(canvas, Box(left, top, side, height), rng, tilt=rng.uniform(-0.25, 0.25))
    _cast_shadow(ground, note, rng)
    colour = rng.uniform(120, 255, 3).astype(np.float32)
    colour[rng.integers(3)] *= rng.uniform(0.3, 1)
    if rng.random() < 0.2:
        colour *= rng.uniform(0.2, 0.7)
    light = 1 - rng.uniform(0, 0.35) * smooth_noise(note.shape, int(rng.integers(1, 3)), rng)
    paper = colour * light[..., np.newaxis]
    canvas.pixels = np.asarray(ground + note[..., np.newaxis] * (paper - ground), np.float32)
    _add_grain(canvas, rng.uniform(0, 5), rng)
    return _inside(canvas, Box(left + 0.1 * side, top + 0.1 * height, 0.8 * side, 0.8 * height))


def draw_whiteboard(canvas: Canvas, rng: np.random.Generator) -> Box:
    """Draw a whiteboard: uneven light, what was wiped off, and often a reflected lamp."""
    canvas.pixels[:] = rng.uniform(140, 240) * rng.uniform(0.93, 1, 3).astype(np.float32)
    canvas.shade(1 - rng.uniform(0, 0.4) * smooth_noise(canvas.pixels.shape[:2], 2, rng))
    wiped = smooth_noise(canvas.pixels.shape[:2], int(rng.integers(4, 12)), rng)
    canvas.shade(1 - rng.uniform(0, 0.12) * wiped)
    if rng.random() < 0.6:
        draw_glare(canvas, rng)
    return whole(canvas)


def draw_glare(canvas: Canvas, rng: np.random.Generator) -> None:
    """Draw the reflection of one or two lamps."""
    y, x = np.mgrid[: canvas.height, : canvas.width].astype(np.float32)
    for _ in range(rng.integers(1, 3)):
        size = rng.uniform(0.03, 0.35, 2) * canvas.width
        distance = ((x - rng.uniform(0, canvas.width)) / size[0]) ** 2 + (
            (y - rng.uniform(0, canvas.height)) / size[1]
        ) ** 2
        shape = np.exp(-(distance ** rng.uniform(0.7, 3))).astype(np.float32)
        canvas.paint(rng.uniform(0.3, 0.95) * shape, np.full(3, 255, np.float32))


def draw_blackboard(canvas: Canvas, rng: np.random.Generator) -> Box:
    """Draw a blackboard with traces of chalk."""
    canvas.pixels[:] = rng.uniform(20, 90) * rng.uniform(0.6, 1, 3).astype(np.float32)
    dust = smooth_noise(canvas.pixels.shape[:2], int(rng.integers(2, 10)), rng)
    canvas.pixels += rng.uniform(0, 40) * dust[..., np.newaxis]
    _add_grain(canvas, rng.uniform(0, 8), rng)
    return whole(canvas)


def draw_panel(canvas: Canvas, rng: np.random.Generator) -> Box:
    """Draw a panel, dark or light, within a page of another tone: a plotted image or a window on a screen."""
    canvas.pixels[:] = rng.choice([255.0, 255.0, 240.0, 200.0, 30.0, rng.uniform(0, 255)])
    inside = np.asarray(255 - canvas.pixels[0, 0]) if rng.random() < 0.75 else np.full(3, rng.uniform(0, 255))
    left, top, right, bottom = rng.uniform(0.04, 0.22, 4) * np.array([canvas.width, canvas.height] * 2)
    first = round(left), round(top)
    last = round(canvas.width - right), round(canvas.height - bottom)
    pixels = np.ascontiguousarray(canvas.pixels)
    cv2.rectangle(pixels, first, last, tuple(inside.tolist()), cv2.FILLED)
    if rng.random() < 0.5:
        cv2.rectangle(pixels, first, last, (rng.uniform(0, 255),) * 3, int(rng.integers(1, 4)))
    if rng.random() < 0.4:  # the title bar of a window
        bar = round(top * rng.uniform(0.4, 1))
        cv2.rectangle(
            pixels, (first[0], max(first[1] - bar, 0)), (last[0], first[1]), (rng.uniform(60, 255),) * 3, cv2.FILLED
        )
        for index in range(3):
            cv2.circle(
                pixels, (last[0] - 5 - 8 * index, first[1] - bar // 2), 2, tuple(rng.uniform(0, 255, 3).tolist()), -1
            )
    canvas.pixels = pixels
    return Box(first[0], first[1], last[0] - first[0], last[1] - first[1])


def draw_surroundings(canvas: Canvas, rng: np.random.Generator) -> None:
    """Draw what lies round a photo or a scan: a frame, dark edges, black corners."""
    height, width = canvas.pixels.shape[:2]
    colour = np.full(3, rng.choice([0.0, 0.0, rng.uniform(0, 90), rng.uniform(0, 255)]), np.float32)
    kind = rng.random()
    coverage = np.zeros((height, width), np.float32)
    if kind < 0.55:
        edges = rng.random(4) < rng.choice([0.3, 1.0])
        edges[rng.integers(4)] = True
        left, top, right, bottom = np.where(edges, rng.uniform(0.01, 0.12, 4), 0) * np.array([width, height] * 2)
        inner = np.zeros_like(coverage)
        skew = rng.uniform(-2.5, 2.5, 4) * (rng.random() < 0.6)
        corners = np.array(
            [
                [left + skew[0], top + skew[1]],
                [width - right + skew[2], top - skew[1]],
                [width - right - skew[2], height - bottom + skew[3]],
                [left - skew[0], height - bottom - skew[3]],
            ]
        )
        corners = np.where(
            edges[[[0, 1], [2, 1], [2, 3], [0, 3]]],
            corners,
            np.array([[-9, -9], [width + 9, -9], [width + 9, height + 9], [-9, height + 9]]),
        )
        cv2.fillPoly(inner, [np.round(corners * 8).astype(np.int32)], 1.0, cv2.LINE_8, 3)
        coverage = 1 - inner
        if rng.random() < 0.5:
            coverage = np.asarray(cv2.GaussianBlur(coverage, (0, 0), rng.uniform(0.5, 6)), np.float32)
    elif kind < 0.8:  # corners, as a round lens or a turned scan has them
        size = rng.uniform(0.05, 0.3) * min(width, height)
        for corner in np.flatnonzero(rng.random(4) < rng.choice([0.4, 1.0])):
            x, y = (0 if corner % 2 == 0 else width), (0 if corner < 2 else height)
            legs = size * rng.uniform(0.5, 1.5, 2)
            points = [[x, y], [x + (legs[0] if x == 0 else -legs[0]), y], [x, y + (legs[1] if y == 0 else -legs[1])]]
            cv2.fillPoly(coverage, [np.array(points).astype(np.int32)], 1.0)
    else:  # light that falls off towards the corners
        y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
        coverage = np.clip((np.hypot(x, y) - rng.uniform(0.6, 1.1)) * rng.uniform(1, 4), 0, 1).astype(np.float32)
    canvas.paint(coverage, colour)


def _paper_colour(rng: np.random.Generator) -> Colour:
    return np.asarray(rng.uniform(140, 255) * rng.uniform(0.82, 1, 3), np.float32)


def _add_grain(canvas: Canvas, sigma: float, rng: np.random.Generator) -> None:
    if sigma > 1:
        canvas.pixels += sigma * rng.standard_normal(canvas.pixels.shape[:2], np.float32)[..., np.newaxis]


def _quadrilateral(canvas: Canvas, box: Box, rng: np.random.Generator, *, tilt: float) -> Coverage:
    """Return the coverage of a rectangle that is tilted by `tilt` radians and seen slightly from the side."""
    corners = np.array([[0, 0], [1, 0], [1, 1], [0, 1]], float) * [box.width, box.height] + [box.left, box.top]
    corners += rng.uniform(-0.03, 0.03, (4, 2)) * [box.width, box.height]
    middle = corners.mean(axis=0)
    turn = np.array([[np.cos(tilt), np.sin(tilt)], [-np.sin(tilt), np.cos(tilt)]])
    points = np.round(((corners - middle) @ turn + middle) * 8).astype(np.int32)
    mask = np.zeros((canvas.height, canvas.width), np.uint8)
    cv2.fillPoly(mask, [points], 255, cv2.LINE_AA, 3)
    return np.asarray(mask.astype(np.float32) / 255, np.float32)


def _cast_shadow(ground: npt.NDArray[np.float32], sheet: Coverage, rng: np.random.Generator) -> None:
    """Darken `ground` beside the sheet."""
    if rng.random() < 0.3:
        return
    offset = np.array([[1, 0, rng.uniform(-6, 6)], [0, 1, rng.uniform(-6, 6)]])
    shadow = cv2.warpAffine(sheet, offset, sheet.shape[::-1])
    shadow = cv2.GaussianBlur(shadow, (0, 0), rng.uniform(0.5, 5))
    ground *= 1 - rng.uniform(0.1, 0.6) * np.asarray(shadow, np.float32)[..., np.newaxis]


def _inside(canvas: Canvas, box: Box) -> Box:
    """Return the part of `box` on the canvas."""
    left, top = max(box.left, 0), max(box.top, 0)
    right, bottom = min(box.left + box.width, canvas.width), min(box.top + box.height, canvas.height)
    return Box(left, top, max(right - left, 1), max(bottom - top, 1))
