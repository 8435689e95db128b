import re
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

import app

pytestmark = pytest.mark.anyio

PAGE = Path(app.__file__).parent / "page"
ELSEWHERE = re.compile(
    r"""https?://(?!www\.w3\.org/)|src=["']//|@import|\bstyle=|<style|<script(?![^>]*\bsrc=)|\bon\w+="""
)

BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8"


@pytest.fixture
def client(client: httpx.AsyncClient) -> Iterator[httpx.AsyncClient]:
    """Return the client of all tests, which accepts for this test what a browser does."""
    default = client.headers["accept"]
    client.headers["accept"] = BROWSER
    yield client
    client.headers["accept"] = default


@pytest.mark.parametrize("accept", ["*/*", "application/json", "text/html;q=0.1, */*", ""])
async def test_a_client_that_does_not_prefer_html_hears_that_the_service_is_alive(
    client: httpx.AsyncClient, accept: str
) -> None:
    response = await client.get("/", headers={"accept": accept, "if-none-match": "*"})
    assert (response.status_code, response.json()) == (200, {"status": "alive"})
    assert response.headers["vary"] == "Accept"


@pytest.mark.parametrize("accept", [BROWSER, "text/html", "text/html, text/*;q=0.5", "text/*"])
async def test_a_client_that_prefers_html_gets_the_page(client: httpx.AsyncClient, accept: str) -> None:
    response = await client.get("/", headers={"accept": accept})
    assert response.headers["content-type"] == "text/html; charset=utf-8"
    assert response.headers["vary"] == "Accept, Accept-Encoding"


async def test_the_page_and_each_of_its_files_are_sent(client: httpx.AsyncClient) -> None:
    page = await client.get("/")
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    addresses = re.findall(r'(?:src|href)="(page/[^"]+)"', page.text)
    assert {Path(address).name for address in addresses} | {"index.html"} == {path.name for path in PAGE.iterdir()}
    for address in addresses:
        file = await client.get(f"/{address}")
        assert file.content == (PAGE / Path(address).name).read_bytes()
        assert file.headers["cache-control"] == "public, max-age=31536000, immutable"


async def test_no_code_is_inline_and_no_file_comes_from_another_site(client: httpx.AsyncClient) -> None:
    for path in PAGE.iterdir():
        assert path.suffix == ".webp" or not ELSEWHERE.search(path.read_text()), path
    policy = dict(part.split(" ", 1) for part in (await client.get("/")).headers["content-security-policy"].split("; "))
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == policy["style-src"] == policy["connect-src"] == "'self'"


async def test_a_browser_with_the_current_page_gets_304(client: httpx.AsyncClient) -> None:
    page = await client.get("/")
    assert page.headers["cache-control"] == "no-cache"
    again = await client.get("/", headers={"if-none-match": page.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert (await client.get("/", headers={"if-none-match": '"another"'})).status_code == 200


async def test_the_page_is_the_same_with_and_without_compression(client: httpx.AsyncClient) -> None:
    compressed = await client.get("/", headers={"accept-encoding": "gzip"})
    plain = await client.get("/", headers={"accept-encoding": "identity"})
    assert compressed.headers["content-encoding"] == "gzip"
    assert "content-encoding" not in plain.headers
    assert compressed.content == plain.content
    assert "Accept-Encoding" in plain.headers["vary"]


@pytest.mark.parametrize(
    "path", ["/page/0123456789abcdef/main.js", "/page/{digest}/none.js", "/page/{digest}/..%2Fmain.py"]
)
async def test_a_missing_file_is_a_problem(client: httpx.AsyncClient, path: str) -> None:
    digest = (await client.get("/")).headers["etag"].strip('"')
    response = await client.get(path.format(digest=digest))
    assert response.status_code == response.json()["status"] == 404


async def test_every_response_has_its_duration(client: httpx.AsyncClient) -> None:
    timing = (await client.get("/")).headers["server-timing"]
    assert float(timing.removeprefix("total;dur=")) > 0
