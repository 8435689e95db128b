"""Turns what went wrong into `application/problem+json` (RFC 9457). The one table from kinds of error to statuses.

Under `/v1` and `/v2`, the paths of other people's protocols, errors have the shape that these have agreed upon.
"""

from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Any, NamedTuple

import orjson
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.types import Receive, Scope, Send

from app import errors
from app.schemas import Problem
from imaging import PictureError, PictureTooLarge, UnreadablePicture, UnsupportedPicture

MEDIA_TYPE = "application/problem+json"
HEADERS: Mapping[int, Mapping[str, str]] = {
    HTTPStatus.UNAUTHORIZED: {"WWW-Authenticate": 'Bearer realm="digitserve"'},
    HTTPStatus.SERVICE_UNAVAILABLE: {"Retry-After": "1"},
}
"""What is sent along with problems of some statuses."""


class Kind(NamedTuple):
    """A kind of problem: its status, its name for programs and metrics, and its title for people."""

    status: int
    name: str
    title: str


KINDS: Mapping[type[Exception], Kind] = {
    errors.MalformedRequest: Kind(400, "malformed-request", "The request is malformed"),
    RequestValidationError: Kind(400, "malformed-request", "The request is malformed"),
    errors.Unauthenticated: Kind(401, "unauthenticated", "A token is needed"),
    errors.Forbidden: Kind(403, "forbidden", "Refused with these settings"),
    errors.CrossOriginRequest: Kind(403, "forbidden", "Refused with these settings"),
    errors.UnknownModel: Kind(404, "unknown-model", "No such model"),
    errors.UnknownVersion: Kind(404, "unknown-version", "No such version"),
    errors.BrokenArtefact: Kind(409, "broken-artefact", "The model's files cannot be served"),
    errors.UnknownPrediction: Kind(404, "unknown-prediction", "No such prediction"),
    errors.FeedbackOff: Kind(404, "feedback-off", "Corrections are not collected"),
    errors.UnknownServable: Kind(404, "unknown-model", "No such model"),
    errors.NotAffine: Kind(404, "not-affine", "The model has no weight images"),
    errors.TooSlow: Kind(408, "request-too-slow", "The request took too long to come in"),
    errors.TooLarge: Kind(413, "request-too-large", "The request is too large"),
    PictureTooLarge: Kind(413, "picture-too-large", "The picture has too many pixels"),
    errors.UrlTooLong: Kind(414, "address-too-long", "The URL is too long"),
    errors.UnsupportedBody: Kind(415, "unsupported-body", "The body is not a picture"),
    UnsupportedPicture: Kind(415, "unsupported-picture", "Not a picture type that is read"),
    UnreadablePicture: Kind(422, "unreadable-picture", "The picture cannot be read"),
    errors.WrongLabel: Kind(422, "wrong-label", "Not a label"),
    errors.HeadTooLarge: Kind(431, "head-too-large", "The request's head is too large"),
    errors.NotReady: Kind(503, "not-ready", "The model is not ready"),
    errors.Overloaded: Kind(503, "overloaded", "The service is busy"),
    errors.StoreUnavailable: Kind(503, "feedback-unavailable", "The correction cannot be stored now"),
    errors.DeadlineExceeded: Kind(504, "deadline-exceeded", "The answer took too long"),
    errors.StoreFull: Kind(507, "feedback-full", "No more corrections are kept"),
}
HANDLED_ERRORS: tuple[type[Exception], ...] = (*KINDS, HTTPException)
"""What is raised to be answered with a problem; the second is the framework's own."""
_PROTOCOL_STATUSES: Mapping[str, Mapping[int, int]] = {"/v2": {}, "/v1": {415: 400, 422: 400}}
"""The protocols whose errors are `{"error": detail}`, and which statuses they have other ones for."""
INTERNAL = Kind(500, "internal-error", "The service failed")


def kind_of(error: Exception) -> Kind:
    """Find the kind of an error; what is in no table is a bug of ours and its message is not for clients."""
    for class_ in type(error).__mro__:
        if class_ in KINDS:
            return KINDS[class_]
    if isinstance(error, HTTPException):  # the framework's own: an unknown path, a method that a path does not have
        status = HTTPStatus(error.status_code)
        return Kind(status, status.phrase.lower().replace(" ", "-"), status.phrase)
    return INTERNAL


def problem(kind: Kind, detail: str, *, instance: str, request_id: str) -> Problem:
    """Say it as RFC 9457 has it."""
    return Problem(
        type=f"urn:digitserve:problem:{kind.name}",
        title=kind.title,
        status=kind.status,
        detail=detail,
        instance=instance,
        request_id=request_id,
    )


def describe(error: Exception, request: Request) -> Problem:
    """Turn an error that a request met into the problem its sender reads, and count it."""
    kind = kind_of(error)
    request.app.state.metrics.count_refusal(kind.name)
    return problem(kind, _detail(error, request), instance=request.url.path, request_id=request.state.request_id)


def _detail(error: Exception, request: Request) -> str:
    if isinstance(error, RequestValidationError):
        return " ".join(
            f"{problem['loc'][0]} parameter '{problem['loc'][-1]}' is {str(problem.get('input'))!r}: {problem['msg']}."
            for problem in error.errors()
        )
    if isinstance(error, HTTPException):
        return f"{error.detail}: {request.method} {request.url.path}"
    return _public_detail(error)


def _public_detail(error: Exception) -> str:
    if isinstance(error, errors.ServiceError | PictureError):
        return str(error)
    return "An unexpected error. It has been logged with this request's id; please report it with that id."


def problem_response(problem: Problem) -> Response:
    """Send a problem, in the shape that belongs to the path it was met on."""
    headers = HEADERS.get(problem.status)
    family = problem.instance[:4].rstrip("/").lower()
    if family not in _PROTOCOL_STATUSES:
        return Response(problem.model_dump_json(), problem.status, headers, MEDIA_TYPE)
    status = _PROTOCOL_STATUSES[family].get(problem.status, problem.status)
    # Without a charset: KServe's client compares the type as a whole.
    return Response(orjson.dumps({"error": problem.detail}), status, headers, "application/json")


def error_response(error: Exception, scope: Scope, request_id: str, count: Callable[[str], None]) -> Response:
    """Answer a request with what went wrong outside of the framework, and have its kind counted."""
    kind = kind_of(error)
    count(kind.name)
    return problem_response(problem(kind, _public_detail(error), instance=scope["path"], request_id=request_id))


async def refuse(error: Exception, scope: Scope, receive: Receive, send: Send) -> None:
    """Answer a request with what is wrong, before it has reached a route."""
    await problem_response(describe(error, Request(scope)))(scope, receive, send)


async def handle(request: Request, error: Exception) -> Response:
    """Answer a request with what went wrong."""
    response = problem_response(describe(error, request))
    if isinstance(error, HTTPException) and error.headers:
        response.headers.update(error.headers)  # Allow, with 405
    return response


def install(app: FastAPI) -> None:
    """Answer every error that the table knows, and the framework's own."""
    for class_ in HANDLED_ERRORS:
        app.add_exception_handler(class_, handle)


def protocol_responses(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Document the same for the routes of other people's protocols."""
    schema = {"type": "object", "required": ["error"], "properties": {"error": {"type": "string"}}}
    content = {"application/json": {"schema": schema}}
    return {status: {"description": HTTPStatus(status).phrase, "content": content} for status in statuses}


def responses(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Document which problems a route answers with, for OpenAPI."""
    content = {MEDIA_TYPE: {"schema": Problem.model_json_schema()}}
    # `default` stands for the framework's own, and keeps it from documenting a 422 that is never sent.
    documented: dict[int | str, dict[str, Any]] = {"default": {"description": "Any other problem", "content": content}}
    for status in statuses:
        titles = dict.fromkeys(kind.title for kind in (*KINDS.values(), INTERNAL) if kind.status == status)
        documented[status] = {"description": " or ".join(titles), "content": content}
    return documented
