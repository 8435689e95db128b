"""`/`, the page where people draw, and the files that it is made of."""

from fastapi import APIRouter, HTTPException, Request, Response
from fastapi.responses import HTMLResponse

from app.assets import INDEX, Asset, Assets

router = APIRouter(tags=["page"])

# Nothing from elsewhere, nothing inline, and in nobody's frame. The 28x28 that a model saw comes as a data URL.
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


@router.get("/", summary="The page where people draw", response_class=HTMLResponse)
async def page(request: Request) -> Response:
    """Send the page; a browser that has it already is told so."""
    assets: Assets = request.app.state.assets
    tag = f'"{assets.digest}"'
    headers = _HEADERS | {"ETag": tag, "Cache-Control": "no-cache"}
    if tag in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=headers)
    return _send(assets.files[INDEX], headers, request)


@router.get("/page/{digest}/{name}", include_in_schema=False)
async def file(request: Request, digest: str, name: str) -> Response:
    """Send a file of the page, to be kept: another content has another address."""
    assets: Assets = request.app.state.assets
    if digest != assets.digest or name not in assets.files:
        raise HTTPException(404, "The page has no such file, or has changed since. Reload it.")
    return _send(assets.files[name], _HEADERS | {"Cache-Control": "public, max-age=31536000, immutable"}, request)


def _send(asset: Asset, headers: dict[str, str], request: Request) -> Response:
    if "gzip" in request.headers.get("accept-encoding", ""):
        return Response(asset.gzipped, headers=headers | {"Content-Encoding": "gzip"}, media_type=asset.media_type)
    return Response(asset.body, headers=headers, media_type=asset.media_type)
