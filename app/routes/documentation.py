"""`/docs`: Swagger UI for the API. Its files come from `fastapi_offline`."""

import base64
import hashlib
import re

from fastapi import APIRouter, Request, Response
from fastapi.openapi.docs import get_swagger_ui_html

router = APIRouter()

_FILES = "static-offline-docs"
"""The path of the files, relative to that of the page: the service may be behind a proxy with a prefix."""
_INLINE_SCRIPT = re.compile(r"<script>(.*?)</script>", re.DOTALL)


@router.get("/docs", include_in_schema=False)
async def documentation(request: Request) -> Response:
    """Return the page of Swagger UI, with a policy that allows no other scripts."""
    response = get_swagger_ui_html(
        openapi_url=request.app.openapi_url.removeprefix("/"),
        title=request.app.title,
        swagger_js_url=f"{_FILES}/swagger-ui-bundle.js",
        swagger_css_url=f"{_FILES}/swagger-ui.css",
        swagger_favicon_url=f"{_FILES}/favicon.png",
    )
    response.headers["Content-Security-Policy"] = _content_security_policy(bytes(response.body).decode())
    response.headers["Referrer-Policy"] = "no-referrer"
    response.headers["X-Content-Type-Options"] = "nosniff"
    return response


@router.get("/docs/", include_in_schema=False)
async def documentation_with_slash() -> Response:
    """Redirect to the page, to whose path the addresses of its files are relative."""
    return Response(status_code=307, headers={"Location": "../docs"})


def _content_security_policy(page: str) -> str:
    """Allow files of this service, and the inline scripts of this page by their hashes (CSP Level 3)."""
    digests = (hashlib.sha256(script.encode()).digest() for script in _INLINE_SCRIPT.findall(page))
    scripts = " ".join(f"'sha256-{base64.b64encode(digest).decode()}'" for digest in digests)
    return (
        f"default-src 'none'; script-src 'self' {scripts}; style-src 'self'; img-src 'self' data:; "
        "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
