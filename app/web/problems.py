"""Converts errors to `application/problem+json` responses (RFC 9457).

Contains the only table that maps errors to statuses. Under `/v1` and `/v2`, the paths of TensorFlow Serving and the
Open Inference Protocol, errors have the format of these protocols.
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
    HTTPStatus.REQUEST_TIMEOUT: {"Connection": "close"},  # the rest of the request may still come
    HTTPStatus.UNAUTHORIZED: {"WWW-Authenticate": 'Bearer realm="digitserve"'},
    HTTPStatus.SERVICE_UNAVAILABLE: {"Retry-After": "1"},
}
"""Additional headers of responses, by status."""


class Kind(NamedTuple):
    """A problem type: its status, its name for programs and metrics, and its title for people."""

    status: int
    name: str
    title: str


KINDS: Mapping[type[Exception], Kind] = {
    errors.MalformedRequest: Kind(400, "malformed-request", "The request is malformed"),
    RequestValidationError: Kind(400, "malformed-request", "The request is malformed"),
    errors.Unauthenticated: Kind(401, "unauthenticated", "A token is required"),
    errors.Forbidden: Kind(403, "forbidden", "Refused with these settings"),
    errors.CrossOriginRequest: Kind(403, "forbidden", "Refused with these settings"),
    errors.UnknownModel: Kind(404, "unknown-model", "No such model"),
    errors.UnknownVersion: Kind(404, "unknown-version", "No such version"),
    errors.BrokenArtefact: Kind(409, "broken-artefact", "The model's files cannot be served"),
    errors.UnknownPrediction: Kind(404, "unknown-prediction", "No such prediction"),
    errors.FeedbackOff: Kind(404, "feedback-off", "Corrections are not collected"),
    errors.UnknownServable: Kind(404, "unknown-model", "No such model"),
    errors.NotAffine: Kind(404, "not-affine", "The model has no weight images"),
    errors.TooSlow: Kind(408, "request-too-slow", "The request was not received in time"),
    errors.TooLarge: Kind(413, "request-too-large", "The request is too large"),
    PictureTooLarge: Kind(413, "picture-too-large", "The picture has too many pixels"),
    errors.UrlTooLong: Kind(414, "address-too-long", "The URL is too long"),
    errors.UnsupportedBody: Kind(415, "unsupported-body", "The body is not a picture"),
    UnsupportedPicture: Kind(415, "unsupported-picture", "Unsupported picture type"),
    UnreadablePicture: Kind(422, "unreadable-picture", "The picture cannot be decoded"),
    errors.WrongLabel: Kind(422, "wrong-label", "Invalid label"),
    errors.HeadTooLarge: Kind(431, "head-too-large", "The request's head is too large"),
    errors.NotReady: Kind(503, "not-ready", "The model is not ready"),
    errors.Overloaded: Kind(503, "overloaded", "The service is busy"),
    errors.StoreUnavailable: Kind(503, "feedback-unavailable", "The correction cannot be stored now"),
    errors.DeadlineExceeded: Kind(504, "deadline-exceeded", "The answer took too long"),
    errors.StoreFull: Kind(507, "feedback-full", "The store of corrections is full"),
}
HANDLED_ERRORS: tuple[type[Exception], ...] = (*KINDS, HTTPException)
"""The errors that are answered with a problem. All other errors are bugs. HTTPException is raised by the framework."""
_PROTOCOL_STATUSES: Mapping[str, Mapping[int, int]] = {"/v2": {}, "/v1": {415: 400, 422: 400}}
"""The paths whose errors are `{"error": detail}`, and the statuses that are replaced there."""
INTERNAL = Kind(500, "internal-error", "The service failed")


def kind_of(error: Exception) -> Kind:
    """Return the kind of an error. An error that is not in the table is a bug: its kind is `INTERNAL`."""
    for class_ in type(error).__mro__:
        if class_ in KINDS:
            return KINDS[class_]
    if isinstance(
        error, HTTPException
    ):  # raised by the framework: an unknown path, or a method that a path does not support
        status = HTTPStatus(error.status_code)
        return Kind(status, status.phrase.lower().replace(" ", "-"), status.phrase)
    return INTERNAL


def problem(kind: Kind, detail: str, *, instance: str, request_id: str) -> Problem:
    """Create the problem details of RFC 9457."""
    return Problem(
        type=f"urn:digitserve:problem:{kind.name}",
        title=kind.title,
        status=kind.status,
        detail=detail,
        instance=instance,
        request_id=request_id,
    )


def describe(error: Exception, request: Request) -> Problem:
    """Convert an error of a request to its problem details, and count it."""
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
    return "An unexpected error. It has been logged with this request's id. Please report it with the id."


def problem_response(problem: Problem) -> Response:
    """Create the response for a problem, in the format of the path of its request."""
    headers = HEADERS.get(problem.status)
    prefix = problem.instance[:4].rstrip("/").lower()
    if prefix not in _PROTOCOL_STATUSES:
        return Response(problem.model_dump_json(), problem.status, headers, MEDIA_TYPE)
    status = _PROTOCOL_STATUSES[prefix].get(problem.status, problem.status)
    # Without a charset, because KServe's client compares the whole content type.
    return Response(orjson.dumps({"error": problem.detail}), status, headers, "application/json")


def error_response(error: Exception, scope: Scope, request_id: str, count: Callable[[str], None]) -> Response:
    """Create the response for an error raised outside of the framework, and count its kind by calling `count`."""
    kind = kind_of(error)
    count(kind.name)
    return problem_response(problem(kind, _public_detail(error), instance=scope["path"], request_id=request_id))


async def refuse(error: Exception, scope: Scope, receive: Receive, send: Send) -> None:
    """Answer a request with a problem, before it reaches a route."""
    await problem_response(describe(error, Request(scope)))(scope, receive, send)


async def handle(request: Request, error: Exception) -> Response:
    """Create the response for an error raised by a route."""
    response = problem_response(describe(error, request))
    if isinstance(error, HTTPException) and error.headers:
        response.headers.update(error.headers)  # such as Allow, with 405
    return response


def install(app: FastAPI) -> None:
    """Register the exception handler for all handled errors."""
    for class_ in HANDLED_ERRORS:
        app.add_exception_handler(class_, handle)


def protocol_responses(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Return the OpenAPI documentation of error responses under `/v1` and `/v2`."""
    schema = {"type": "object", "required": ["error"], "properties": {"error": {"type": "string"}}}
    content = {"application/json": {"schema": schema}}
    return {status: {"description": HTTPStatus(status).phrase, "content": content} for status in statuses}


def responses(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Return the OpenAPI documentation of a route's problems, by status."""
    content = {MEDIA_TYPE: {"schema": Problem.model_json_schema()}}
    # `default` covers errors of the framework, and prevents it from documenting a 422 that is never sent.
    documented: dict[int | str, dict[str, Any]] = {"default": {"description": "Any other problem", "content": content}}
    for status in statuses:
        titles = dict.fromkeys(kind.title for kind in (*KINDS.values(), INTERNAL) if kind.status == status)
        documented[status] = {"description": " or ".join(titles), "content": content}
    return documented
