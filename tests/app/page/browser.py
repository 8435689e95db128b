"""A real browser, and how a hand draws with its mouse."""

import itertools
import shutil
from collections.abc import Sequence

from playwright.sync_api import Browser, Page, Playwright, expect

Points = Sequence[tuple[float, float]]  # as shares of the pad's side

SEVEN: Points = [(0.28, 0.25), (0.5, 0.25), (0.71, 0.25), (0.62, 0.42), (0.53, 0.6), (0.44, 0.8)]

SCRIBBLE: Points = [
    (0.2, 0.2),
    (0.8, 0.3),
    (0.25, 0.45),
    (0.75, 0.6),
    (0.3, 0.75),
    (0.85, 0.8),
    (0.5, 0.15),
    (0.15, 0.6),
]

# Chromium would look things up on its own; a container's root has no sandbox and little shared memory.
_FLAGS = [
    "--no-sandbox",
    "--disable-dev-shm-usage",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]


def launch(playwright: Playwright) -> Browser:
    """Start the Chromium of the machine, or else the one that Playwright has fetched."""
    return playwright.chromium.launch(executable_path=shutil.which("chromium"), args=_FLAGS)


def draw(page: Page, points: Points) -> None:
    """Draw one stroke with the mouse."""
    page.locator("#pad").scroll_into_view_if_needed()
    box = page.locator("#pad").bounding_box()
    assert box
    places = [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in points]
    page.mouse.move(*places[0])
    page.mouse.down()
    for _, (x, y) in itertools.pairwise(places):
        page.mouse.move(x, y, steps=4)
    page.mouse.up()


def wait_for_answers(page: Page) -> None:
    """Wait until both models have answered, and the map of the network with them."""
    expect(page.locator(".answer[data-state]")).to_have_count(2)
    expect(page.locator("#occlusion-words")).not_to_contain_text("Draw something")
