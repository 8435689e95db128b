"""The documentation: its policy, and the page in a browser that enforces it."""

import base64
import hashlib
import re
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Page, expect, sync_playwright

from tests.app.page.browser import launch
from tests.app.service import service


@pytest.mark.anyio
async def test_the_policy_allows_the_inline_script_by_its_hash_only(client: httpx.AsyncClient) -> None:
    response = await client.get("/docs")
    policy = dict(each.strip().split(" ", 1) for each in response.headers["content-security-policy"].split(";"))
    assert policy["default-src"] == policy["frame-ancestors"] == "'none'"
    own, *hashes = policy["script-src"].split()
    assert own == "'self'"
    assert len(hashes) == response.text.count("<script>") == 1
    script = response.text.split("<script>")[1].split("</script>")[0]
    assert hashes == [f"'sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}'"]
    assert not {"'unsafe-inline'", "'unsafe-eval'", "*"} & set(" ".join(policy.values()).split())


@pytest.mark.anyio
async def test_the_addresses_of_the_files_are_relative(client: httpx.AsyncClient) -> None:
    page = (await client.get("/docs")).text
    for address in re.findall(r"(?:href|src)=\"([^\"]*)\"|url: '([^']*)'", page):
        path = "".join(address)
        assert not path.startswith(("/", "http"))
        assert (await client.get(f"/{path}")).status_code == 200
    redirect = await client.get("/docs/")
    assert (redirect.status_code, redirect.headers["location"]) == (307, "../docs")


@pytest.mark.slow
def test_a_browser_shows_the_page_and_tries_requests_without_a_violation(tmp_path: Path, seven: bytes) -> None:
    (tmp_path / "seven.png").write_bytes(seven)
    errors: list[str] = []
    with service(WORKERS="1", ACCESS_LOG="false") as (_, url), sync_playwright() as playwright:
        browser = launch(playwright)
        page = browser.new_page()
        page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.goto(f"{url}/docs")
        assert '"status": "live"' in try_out(page, "health-live")
        assert '"digit": 7' in try_out(page, "predict-predict", tmp_path / "seven.png")
        assert errors == []
        page.evaluate(INLINE)  # proves that a violation is noticed
        page.wait_for_function("window.violated")
        browser.close()
    assert any("Content Security Policy" in error for error in errors)


INLINE = """
document.addEventListener("securitypolicyviolation", () => { window.violated = true; });
document.body.append(Object.assign(document.createElement("script"), { textContent: "window.ran = true" }));
"""


def try_out(page: Page, operation: str, file: Path | None = None) -> str:
    """Send a request with the page, and return the response that it shows."""
    block = page.locator(f"#operations-{operation}")
    block.locator(".opblock-summary-control").click()
    block.locator(".try-out__btn").click()
    if file is not None:
        block.locator("input[type=file]").set_input_files(file)
    block.locator("button.execute").click()
    response = block.locator(".live-responses-table .highlight-code").first
    expect(response).to_be_visible()
    return response.inner_text()
