"""`/`, the page on which people draw digits, and its files; to programs, `/` says that the service is alive."""

from functools import cache
from pathlib import Path

from fastapi import APIRouter, HTTPException, Request, Response
from fastapi.responses import HTMLResponse, JSONResponse

from app.web.content_negotiation import negotiate
from app.web.openapi import responses
from app.web.page_files import INDEX, PageFile, PageFiles

router = APIRouter(tags=["page"])

# No files of other sites, no inline code, no frames. The image that a model received is a data URL.
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'"
)
_HEADERS = {
    "Content-Security-Policy": _POLICY,
    "Cross-Origin-Opener-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "Vary": "Accept-Encoding",
    "X-Content-Type-Options": "nosniff",
}


_JSON, _HTML = "application/json", "text/html"
_ALIVE = {"status": "alive"}
"""The response to clients that do not ask for the page: that of KServe's protocol, version 1."""


@cache
def _page_files() -> PageFiles:
    return PageFiles(Path(__file__).parent.parent / "page")


@router.get(
    "/",
    summary="Get the page for drawing digits",
    response_class=HTMLResponse,
    responses={200: {"content": {_JSON: {"schema": {"type": "object"}, "example": _ALIVE}}}, **responses("/")},
)
async def page(request: Request) -> Response:
    """Return the page if the Accept header prefers HTML, or 304 if the browser has the current one.

    Other clients, such as those of KServe, get `{"status": "alive"}`.
    """
    if negotiate(",".join(request.headers.getlist("accept")), (_JSON, _HTML)).media_type == _JSON:
        return JSONResponse(_ALIVE, headers={"Vary": "Accept"})
    page_files = _page_files()
    tag = f'"{page_files.digest}"'
    headers = _HEADERS | {"ETag": tag, "Cache-Control": "no-cache", "Vary": "Accept, Accept-Encoding"}
    if tag in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=headers)
    return _file_response(page_files.files[INDEX], headers, request)


@router.get("/page/{digest}/{name}", include_in_schema=False)
async def file(request: Request, digest: str, name: str) -> Response:
    """Return a file of the page, which may be cached for ever: changed files have another URL."""
    page_files = _page_files()
    if digest != page_files.digest or name not in page_files.files:
        raise HTTPException(404, "The page has no such file, or has changed. Reload the page.")
    return _file_response(
        page_files.files[name], _HEADERS | {"Cache-Control": "public, max-age=31536000, immutable"}, request
    )


def _file_response(page_file: PageFile, headers: dict[str, str], request: Request) -> Response:
    if "gzip" in request.headers.get("accept-encoding", ""):
        return Response(
            page_file.gzipped, headers=headers | {"Content-Encoding": "gzip"}, media_type=page_file.media_type
        )
    return Response(page_file.body, headers=headers, media_type=page_file.media_type)
