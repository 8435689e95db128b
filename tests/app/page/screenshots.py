"""Start a service, draw on its page and take screenshots: `python -m tests.app.page.screenshots FOLDER`.

Without a folder, take only `docs/page.png`, the screenshot in README.md.
"""

import sys
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

from tests.app.page.browser import FORTY_TWO, SCRIBBLE, SEVEN, draw, launch, wait_for_predictions
from tests.app.service import service

WIDE = {"width": 1180, "height": 860}
TABLET = {"width": 768, "height": 1024}
PHONE = {"width": 360, "height": 740}


def main(folder: Path | None) -> None:
    """Take all screenshots into a folder, or only the one of README.md."""
    with service(WORKERS="1") as (process, url), sync_playwright() as playwright:
        browser = launch(playwright)

        def opened(size: dict[str, int], *, dark: bool = False) -> Page:
            page = browser.new_page(viewport=size, color_scheme="dark" if dark else "light", reduced_motion="reduce")
            page.goto(url)
            page.wait_for_selector("#report .tiles")
            return page

        page = opened(WIDE)
        draw(page, SEVEN)
        wait_for_predictions(page)
        if folder is None:
            page.screenshot(path="docs/page.png")
            return
        page.screenshot(path=folder / "wide.png", full_page=True)
        for name, size, dark in (
            ("tablet", TABLET, False),
            ("phone", PHONE, False),
            ("dark", WIDE, True),
            ("phone-dark", PHONE, True),
        ):
            page = opened(size, dark=dark)
            draw(page, SEVEN)
            wait_for_predictions(page)
            page.screenshot(path=folder / f"{name}.png", full_page=True)
        for name, size in (("number", WIDE), ("number-phone", PHONE)):
            page = opened(size)
            for stroke in FORTY_TWO:
                draw(page, stroke)
            page.wait_for_selector("#reading:not([hidden])")
            wait_for_predictions(page)
            page.screenshot(path=folder / f"{name}.png", full_page=True)
        page = opened(WIDE)
        page.screenshot(path=folder / "empty.png")
        draw(page, SCRIBBLE)
        wait_for_predictions(page)
        page.screenshot(path=folder / "abstaining.png", full_page=True)
        process.terminate()
        process.wait()
        draw(page, [(0.5, 0.2), (0.5, 0.8)])
        page.wait_for_selector("#notice:not([hidden])")
        page.screenshot(path=folder / "unreachable.png")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else None)
