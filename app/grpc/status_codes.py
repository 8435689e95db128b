"""Converts errors to gRPC's status codes, by the HTTP statuses that they have over REST."""

from collections.abc import Mapping

from grpc import StatusCode

STATUS_CODES: Mapping[int, StatusCode] = {
    400: StatusCode.INVALID_ARGUMENT,
    401: StatusCode.UNAUTHENTICATED,
    403: StatusCode.PERMISSION_DENIED,
    404: StatusCode.NOT_FOUND,
    408: StatusCode.DEADLINE_EXCEEDED,
    409: StatusCode.FAILED_PRECONDITION,
    413: StatusCode.RESOURCE_EXHAUSTED,
    415: StatusCode.INVALID_ARGUMENT,
    422: StatusCode.INVALID_ARGUMENT,
    503: StatusCode.UNAVAILABLE,
    504: StatusCode.DEADLINE_EXCEEDED,
}


def status_code_of(http_status: int) -> StatusCode:
    """Return the code for an HTTP status: INTERNAL for one that no call should have."""
    return STATUS_CODES.get(http_status, StatusCode.INTERNAL)
