"""Fixtures for tests of the page: a real browser, and a real service with a tiny finder."""

import shutil
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from tests.app.page.browser import launch
from tests.app.service import service
from tests.app.tiny_finder import publish_finder
from tests.conftest import MODELS


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Start a service with the published classifiers. The tiny finder finds the digits of clean pictures."""
    folder = tmp_path_factory.mktemp("service")
    models = shutil.copytree(MODELS, folder / "models", ignore=shutil.ignore_patterns("finder"))
    publish_finder(models)
    settings = {"MODELS_DIR": str(models), "FEEDBACK_DIR": str(folder / "feedback")}
    with service(WORKERS="1", ACCESS_LOG="false", **settings) as (_, address):
        yield address


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
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
