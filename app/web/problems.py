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
_ERROR_HEADERS: Mapping[type[Exception], Mapping[str, str]] = {
    errors.UnsupportedEncoding: {"Accept-Encoding": "gzip, deflate"},  # RFC 9110, section 15.5.16
}
"""Additional headers of responses, by error."""


class ProblemType(NamedTuple):
    """A problem type: its status, its name for programs and metrics, and its title for people."""

    status: int
    name: str
    title: str


PROBLEM_TYPES: Mapping[type[Exception], ProblemType] = {
    errors.MalformedRequest: ProblemType(400, "malformed-request", "The request is malformed"),
    RequestValidationError: ProblemType(400, "malformed-request", "The request is malformed"),
    errors.Unauthenticated: ProblemType(401, "unauthenticated", "A token is required"),
    errors.LoadingForbidden: ProblemType(403, "forbidden", "The settings do not allow this request"),
    errors.CrossOriginRequest: ProblemType(403, "forbidden", "The settings do not allow this request"),
    errors.UnknownModel: ProblemType(404, "unknown-model", "No such model"),
    errors.UnknownVersion: ProblemType(404, "unknown-version", "No such version"),
    errors.BrokenArtefact: ProblemType(409, "broken-artefact", "The model's files cannot be served"),
    errors.UnknownPrediction: ProblemType(404, "unknown-prediction", "No such prediction"),
    errors.FeedbackDisabled: ProblemType(404, "feedback-off", "Corrections are not collected"),
    errors.UnknownServable: ProblemType(404, "unknown-model", "No such model"),
    errors.NotAClassifier: ProblemType(400, "not-a-classifier", "The model does not classify images"),
    errors.NotAffine: ProblemType(404, "not-affine", "The model has no weight images"),
    errors.RequestTooSlow: ProblemType(408, "request-too-slow", "The request was not received in time"),
    errors.TooLarge: ProblemType(413, "request-too-large", "The request is too large"),
    PictureTooLarge: ProblemType(413, "picture-too-large", "The picture is too large"),
    errors.UrlTooLong: ProblemType(414, "address-too-long", "The URL is too long"),
    errors.UnsupportedBody: ProblemType(415, "unsupported-body", "The body is not a picture"),
    UnsupportedPicture: ProblemType(415, "unsupported-picture", "Unsupported picture type"),
    UnreadablePicture: ProblemType(422, "unreadable-picture", "The picture cannot be decoded"),
    errors.InvalidLabel: ProblemType(422, "wrong-label", "Invalid label"),
    errors.HeadTooLarge: ProblemType(431, "head-too-large", "The request's head is too large"),
    errors.NotReady: ProblemType(503, "not-ready", "Not ready"),
    errors.FinderUnavailable: ProblemType(503, "finder-unavailable", "Digits cannot be found in pictures now"),
    errors.Overloaded: ProblemType(503, "overloaded", "The service is busy"),
    errors.StoreUnavailable: ProblemType(503, "feedback-unavailable", "The correction cannot be stored now"),
    errors.DeadlineExceeded: ProblemType(504, "deadline-exceeded", "The answer took too long"),
    errors.StoreFull: ProblemType(507, "feedback-full", "The store of corrections is full"),
}
HANDLED_ERRORS: tuple[type[Exception], ...] = (*PROBLEM_TYPES, HTTPException)
"""The expected errors. All others are unexpected, and are logged. HTTPException is raised by the framework."""
_PROTOCOL_STATUSES: Mapping[str, Mapping[int, int]] = {"/v2": {}, "/v1": {415: 400, 422: 400}}
"""The paths whose errors are `{"error": detail}`, and the statuses that are replaced there."""
INTERNAL = ProblemType(500, "internal-error", "The service failed")


def problem_type_of(error: Exception) -> ProblemType:
    """Return the problem type of an error: `INTERNAL` for an unexpected error, which is not in the table."""
    for class_ in type(error).__mro__:
        if class_ in PROBLEM_TYPES:
            return PROBLEM_TYPES[class_]
    if isinstance(
        error, HTTPException
    ):  # raised by the framework: an unknown path, or a method that a path does not support
        status = HTTPStatus(error.status_code)
        return ProblemType(status, status.phrase.lower().replace(" ", "-"), status.phrase)
    return INTERNAL


def create_problem(problem_type: ProblemType, detail: str, *, instance: str, request_id: str) -> Problem:
    """Create the problem details of RFC 9457."""
    return Problem(
        type=f"urn:digitserve:problem:{problem_type.name}",
        title=problem_type.title,
        status=problem_type.status,
        detail=detail,
        instance=instance,
        request_id=request_id,
    )


def count_and_describe(error: Exception, request: Request) -> Problem:
    """Count an error of a request, and convert it to problem details."""
    problem_type = problem_type_of(error)
    request.app.state.metrics.count_problem(problem_type.name)
    return create_problem(
        problem_type, _detail(error, request), instance=request.url.path, request_id=request.state.request_id
    )


def _detail(error: Exception, request: Request) -> str:
    if isinstance(error, RequestValidationError):
        return " ".join(
            f"{detail['loc'][0]} parameter '{detail['loc'][-1]}' is {str(detail.get('input'))!r}: {detail['msg']}."
            for detail in error.errors()
        )
    if isinstance(error, HTTPException):
        return f"{error.detail}: {request.method} {request.url.path}"
    return public_detail(error)


def public_detail(error: Exception) -> str:
    """Return the message of an error for the client. That of an unexpected error is not sent."""
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
    """Create the response for an error raised outside of the framework, and call `count` with the name of its type."""
    problem_type = problem_type_of(error)
    count(problem_type.name)
    return problem_response(
        create_problem(problem_type, public_detail(error), instance=scope["path"], request_id=request_id)
    )


async def refuse(error: Exception, scope: Scope, receive: Receive, send: Send) -> None:
    """Answer a request with a problem, before it reaches a route."""
    await problem_response(count_and_describe(error, Request(scope)))(scope, receive, send)


async def handle(request: Request, error: Exception) -> Response:
    """Create the response for an error raised by a route, or for an OPTIONS request, which no route has."""
    if isinstance(error, HTTPException):
        headers = error.headers or {}  # such as Allow, with 405
        if request.method == "OPTIONS" and error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
            return _options_response(headers.get("Allow", ""))
    else:
        headers = _ERROR_HEADERS.get(type(error), {})
    response = problem_response(count_and_describe(error, request))
    response.headers.update(headers)
    return response


def _options_response(allowed: str) -> Response:
    """Create the response to an OPTIONS request for a path whose route has the methods `allowed`."""
    methods = {*allowed.split(", "), "OPTIONS"} | ({"HEAD"} if "GET" in allowed else set())
    return Response(status_code=HTTPStatus.NO_CONTENT, headers={"Allow": ", ".join(sorted(methods))})


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
        titles = dict.fromkeys(
            problem_type.title for problem_type in (*PROBLEM_TYPES.values(), INTERNAL) if problem_type.status == status
        )
        documented[status] = {"description": " or ".join(titles), "content": content}
    return documented
