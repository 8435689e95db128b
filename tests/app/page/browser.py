"""Start a real browser, and draw with its mouse."""

import shutil
from collections.abc import Callable, Sequence
from typing import Any

from playwright.sync_api import Browser, Page, Playwright, Route, expect

Points = Sequence[tuple[float, float]]
"""x and y, as shares of the pad's side."""

SEVEN: Points = [(0.28, 0.25), (0.5, 0.25), (0.71, 0.25), (0.62, 0.42), (0.53, 0.6), (0.44, 0.8)]

FORTY_TWO: Sequence[Points] = [
    [(0.14, 0.25), (0.1, 0.55), (0.38, 0.55)],
    [(0.32, 0.28), (0.31, 0.8)],
    [(0.58, 0.33), (0.68, 0.25), (0.8, 0.33), (0.76, 0.48), (0.58, 0.75), (0.86, 0.75)],
]
"""Two strokes for the 4, and one for the 2."""

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

# Chromium must send no requests of its own. In a container, root has no sandbox and there is little shared memory.
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
    """Start the installed Chromium, or the one that Playwright has downloaded."""
    return playwright.chromium.launch(executable_path=shutil.which("chromium"), args=_FLAGS)


def draw(page: Page, points: Points) -> None:
    """Draw one stroke with the mouse."""
    page.locator("#pad").scroll_into_view_if_needed()
    box = page.locator("#pad").bounding_box()
    assert box
    positions = [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in points]
    page.mouse.move(*positions[0])
    page.mouse.down()
    for x, y in positions[1:]:
        page.mouse.move(x, y, steps=4)
    page.mouse.up()


def wait_for_predictions(page: Page) -> None:
    """Wait until the predictions of all classifiers are shown, and the occlusion map, unless it is folded."""
    expect(page.locator(".prediction[data-state]:visible").first).to_be_visible()
    expect(page.locator(".prediction:visible:not([data-state])")).to_have_count(0)
    if page.locator("#explanation").get_attribute("open") is not None:
        expect(page.locator("#occlusion-summary")).not_to_contain_text("Draw a digit")


def change_json(page: Page, address: str, change: Callable[[dict[str, Any]], None]) -> None:
    """Let `change` modify each JSON response from this address before the page receives it."""

    def fulfil(route: Route) -> None:
        response = route.fetch()
        body = response.json()
        change(body)
        route.fulfill(response=response, json=body)

    page.route(address, fulfil)
