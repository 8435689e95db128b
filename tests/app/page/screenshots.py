"""Start a service, draw on its page and take screenshots: `python -m tests.app.page.screenshots FOLDER`.

Without a folder, take only `docs/page.png`, the screenshot in README.md.
"""

import sys
from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import Page, expect, sync_playwright

from tests.app.page.browser import FORTY_TWO, SCRIBBLE, SEVEN, Points, draw, launch, wait_for_predictions
from tests.app.page.samples import FOLDER, SAMPLES
from tests.app.service import service

WIDE = {"width": 1180, "height": 860}
TABLET = {"width": 768, "height": 1024}
PHONE = {"width": 360, "height": 740}


def drawn(*strokes: Points) -> Callable[[Page], None]:
    """Return a function that draws, and waits for the answer."""

    def act(page: Page) -> None:
        for stroke in strokes:
            draw(page, stroke)
        if strokes == tuple(FORTY_TWO):
            expect(page.locator("#reading")).to_be_visible()
        wait_for_predictions(page)

    return act


def empty(page: Page) -> None:
    """Wait for the samples."""
    expect(page.locator(".samples img").last).to_be_visible()


def sample(page: Page) -> None:
    """Choose the last sample, which is no digit."""
    page.locator(".samples button").last.click()
    wait_for_predictions(page)


def several_files(page: Page) -> None:
    """Choose all samples as files, and a file that is no picture."""
    page.locator("#choose").set_input_files([*(FOLDER / name for name in SAMPLES), FOLDER / "style.css"])
    expect(page.locator("#session tbody tr")).to_have_count(len(SAMPLES) + 1)


def corrected(page: Page) -> None:
    """Draw, correct, and open the pictures of the session."""
    drawn(SEVEN)(page)
    page.locator("#correction").get_by_role("button", name="1", exact=True).click()
    page.get_by_role("button", name="Clear").click()
    drawn(SCRIBBLE)(page)
    page.locator("#session summary").click()


def explained(page: Page) -> None:
    """Draw, and open all sections."""
    drawn(SEVEN)(page)
    for section in ("#call", "#explanation", "#accuracy"):
        page.locator(f"{section} summary").click()
    wait_for_predictions(page)
    expect(page.locator("#report .tiles")).to_be_visible()


SCREENSHOTS: dict[str, tuple[dict[str, int], Callable[[Page], None]]] = {
    "phone-empty": (PHONE, empty),
    "phone-digit": (PHONE, drawn(SEVEN)),
    "phone-number": (PHONE, drawn(*FORTY_TWO)),
    "phone-sample": (PHONE, sample),
    "phone-files": (PHONE, several_files),
    "phone-session": (PHONE, corrected),
    "phone-explained": (PHONE, explained),
    "tablet": (TABLET, drawn(SEVEN)),
    "wide-empty": (WIDE, empty),
    "wide-digit": (WIDE, drawn(SEVEN)),
    "wide-number": (WIDE, drawn(*FORTY_TWO)),
    "wide-abstaining": (WIDE, drawn(SCRIBBLE)),
    "wide-files": (WIDE, several_files),
}


def main(folder: Path | None) -> None:
    """Take all screenshots into a folder, in both themes, or only the one of README.md."""
    with service(WORKERS="1") as (_, url), sync_playwright() as playwright:
        browser = launch(playwright)

        def opened(size: dict[str, int], theme: str) -> Page:
            context = browser.new_context(
                viewport=size,
                color_scheme=theme,
                reduced_motion="reduce",
                has_touch=size != WIDE,
                is_mobile=size != WIDE,
            )
            context.set_default_timeout(120_000)  # the machine may be busy
            page = context.new_page()
            page.goto(url)
            return page

        if folder is None:
            page = opened(WIDE, "light")
            drawn(SEVEN)(page)
            page.screenshot(path="docs/page.png")
            return
        for name, (size, act) in SCREENSHOTS.items():
            for theme in ("light", "dark"):
                page = opened(size, theme)
                act(page)
                page.screenshot(path=folder / f"{name}-{theme}.png")
                page.screenshot(path=folder / f"{name}-{theme}-whole.png", full_page=True)
                page.context.close()


if __name__ == "__main__":
    expect.set_options(timeout=120_000)
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else None)
