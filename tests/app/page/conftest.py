"""Fixtures for tests of the page: a real browser, and a real service with a tiny finder."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from tests.app.page.browser import launch
from tests.app.service import service
from tests.app.tiny_finder import publish_finder
from tests.conftest import newest

expect.set_options(timeout=30_000)  # a machine that is busy with something else must not fail a test

TITLES = {"convnet": "Convolutional network", "softmax": "Softmax regression"}


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with two published classifiers, and a tiny finder that finds the digits of clean pictures."""
    folder = tmp_path_factory.mktemp("models")
    for name, title in TITLES.items():
        publish_copy(folder, name, title)
    publish_finder(folder)
    return folder


def publish_copy(models: Path, name: str, title: str, original: str | None = None) -> None:
    """Publish the newest version of a classifier in another folder, perhaps with another name."""
    version = newest(original or name)
    copy = Path(shutil.copytree(version, models / name / version.name))
    card = json.loads((copy / "model.json").read_text())
    (copy / "model.json").write_text(json.dumps(card | {"name": name, "title": title}))


@pytest.fixture(scope="session")
def url(models: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Start a service with these models."""
    settings = {"MODELS_DIR": str(models), "FEEDBACK_DIR": str(tmp_path_factory.mktemp("service") / "feedback")}
    with service(WORKERS="1", ACCESS_LOG="false", **settings) as (_, address):
        yield address


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Start a browser for one file of tests. Until its end, no other test can run an event loop: Playwright does."""
    with sync_playwright() as playwright:
        browser = launch(playwright)
        yield browser
        browser.close()


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    context = browser.new_context(reduced_motion="reduce")
    yield context
    context.close()


@pytest.fixture
def page(context: BrowserContext, url: str) -> Iterator[Page]:
    """Open the page. An error in its console fails the test, and so does a request to another server."""
    page = context.new_page()
    problems: list[str] = []
    page.on("console", lambda message: problems.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on("request", lambda request: problems.append(request.url) if not is_own(request.url, url) else None)
    page.goto(url)
    expect(page.locator("#report .tiles")).to_be_visible()
    yield page
    assert problems == []


def is_own(address: str, url: str) -> bool:
    return address.startswith((url, "data:", "blob:"))
