"""What every call passes: its log entry, token, limits, and the status code of an error. Knows no protocol.

The token and the concurrency limit are checked before the message of a call is received, as over HTTP. So a method with
one request message is registered as one with a stream of them: of all others, gRPC receives the message first.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from enum import Enum
from functools import partial
from http import HTTPStatus
from typing import Any, NamedTuple
from urllib.parse import unquote

import grpc
from google.protobuf.descriptor import ServiceDescriptor
from google.protobuf.message import DecodeError, Message
from google.protobuf.message_factory import GetMessageClass

from app.deadline import Deadline
from app.errors import DeadlineExceeded, MalformedRequest, Overloaded, RequestTooSlow
from app.grpc.status_codes import status_code_of
from app.observability.request_log import RequestLog
from app.settings import Settings
from app.web.auth import AccessPolicy, Headers
from app.web.concurrency_limit import ConcurrencyLimit
from app.web.problems import INTERNAL, problem_type_of, public_detail
from app.web.request_ids import request_id_of
from app.web.request_log_middleware import CLIENT_CLOSED_REQUEST

Context = grpc.aio.ServicerContext[Any, Any]
Trace = Callable[[str, Headers, str], AbstractContextManager[object]]
"""Takes the path, the headers and the id of a call; returns the context in which it is answered."""
_Receive = Callable[[], Awaitable[bytes]]

_TOKEN_CODES = {grpc.StatusCode.UNAUTHENTICATED, grpc.StatusCode.PERMISSION_DENIED}


class Access(Enum):
    """What a call needs: the same as its request over REST."""

    READ = "nothing, as GET"
    PREDICT = "PREDICT_TOKEN and a place in the concurrency limit, as POST"
    ADMIN = "ADMIN_TOKEN and a place in the concurrency limit, as loading and unloading"


class Call:
    """One message that is being answered."""

    def __init__(self) -> None:
        self.answered_by: tuple[str, int] | tuple[()] = ()
        """The name and version of the model that answers. The method sets it."""


Answer = Callable[[Any, Call], Awaitable[Message]]
"""Answers a request message, or raises an error of the service."""


class _Method(NamedTuple):
    path: str
    """Also its route in metrics."""
    access: Access
    answer: Answer
    request_type: type[Message]


class _Refusal(NamedTuple):
    code: grpc.StatusCode
    detail: str


class CallHandling:
    """Answers calls, and knows how many messages are being answered."""

    def __init__(
        self, settings: Settings, request_log: RequestLog, limit: ConcurrencyLimit, trace: Trace | None = None
    ) -> None:
        self._policy = AccessPolicy(settings)
        self._request_log = request_log
        self._limit = limit
        self._trace = trace or _no_trace
        self._upload = Deadline(settings.upload_seconds)
        self._max_buffered_bytes = max(settings.max_buffered_bytes, 2 * settings.max_body_bytes)
        self._buffered_bytes = 0
        self._in_progress = 0
        self._idle = asyncio.Event()
        self._idle.set()

    async def wait_until_idle(self) -> None:
        """Wait until no message is being answered, and all responses are sent."""
        await self._idle.wait()

    def service(
        self,
        service: ServiceDescriptor,
        answers: Mapping[str, tuple[Access, Answer]],
        describe_error: Callable[[str], Message] | None = None,
    ) -> grpc.GenericRpcHandler:
        """Create the handler of a service.

        Args:
            service: its descriptor.
            answers: for the name of each method, what a call needs, and the function that answers its messages.
            describe_error: creates the response with an error, for methods with a stream of messages.

        """
        handlers: dict[str, Any] = {}
        for name, (access, answer) in answers.items():
            descriptor = service.methods_by_name[name]
            method = _Method(f"/{service.full_name}/{name}", access, answer, GetMessageClass(descriptor.input_type))
            if descriptor.client_streaming and describe_error:
                handle_stream = partial(self._handle_stream, method, describe_error)
                handlers[name] = grpc.stream_stream_rpc_method_handler(handle_stream)
            else:
                handlers[name] = grpc.stream_unary_rpc_method_handler(partial(self._handle, method))
        return grpc.method_handlers_generic_handler(service.full_name, handlers)

    async def _handle(self, method: _Method, _: object, context: Context) -> bytes:
        self._begin()
        # Called when the response is sent. The type stubs expect a class instead of a function.
        context.add_done_callback(lambda _: self._end())  # type: ignore[arg-type]
        response = await self._answer(method, context, partial(self._receive, context))
        if isinstance(response, _Refusal):
            await context.abort(response.code, response.detail)
        return response.SerializeToString()

    async def _handle_stream(
        self, method: _Method, describe_error: Callable[[str], Message], _: object, context: Context
    ) -> None:
        """Answer the messages of a stream one after the other. Only an error of the token ends the stream."""
        while (data := await context.read()) is not grpc.aio.EOF:
            self._begin()
            try:
                response = await self._answer(method, context, partial(_return, data))
                if isinstance(response, _Refusal):
                    if response.code in _TOKEN_CODES:
                        await context.abort(response.code, response.detail)
                    response = describe_error(response.detail)
                await context.write(response.SerializeToString())
            finally:
                self._end()

    async def _receive(self, context: Context) -> bytes:
        """Receive the only message of a call."""
        try:
            with self._upload.enforced():
                data = await context.read()
        except DeadlineExceeded as error:
            raise RequestTooSlow(self._upload.seconds) from error
        if not isinstance(data, bytes):
            message = "The call has no message. Send one."
            raise MalformedRequest(message)
        return data

    async def _answer(self, method: _Method, context: Context, receive: _Receive) -> Message | _Refusal:
        """Answer one message, and record it as a request."""
        headers = _headers(context)
        call, state = Call(), dict[str, Any]()
        scope = {"method": "POST", "path": method.path, "route": method, "headers": headers, "state": state}
        scope["client"] = _client(context)
        request_id = request_id_of(scope)
        context.set_trailing_metadata((("x-request-id", request_id),))
        started = time.perf_counter()
        status: int = CLIENT_CLOSED_REQUEST  # if it is cancelled
        unexpected_error = None
        self._request_log.begin()
        try:
            with self._trace(method.path, headers, request_id):
                response = await self._answer_admitted(method, headers, receive, call)
        except Exception as error:  # noqa: BLE001 - the client gets it, and an unexpected one is logged
            problem = problem_type_of(error)
            status = problem.status
            self._request_log.count_problem(problem.name)
            unexpected_error = error if problem is INTERNAL else None
            return _Refusal(status_code_of(status), public_detail(error))
        else:
            status = HTTPStatus.OK
            state["answered_by"] = call.answered_by
            return response
        finally:
            seconds = time.perf_counter() - started
            self._request_log.end(
                scope, request_id=request_id, status=status, seconds=seconds, unexpected_error=unexpected_error
            )

    def _begin(self) -> None:
        self._in_progress += 1
        self._idle.clear()

    def _end(self) -> None:
        self._in_progress -= 1
        if not self._in_progress:
            self._idle.set()

    async def _answer_admitted(self, method: _Method, headers: Headers, receive: _Receive, call: Call) -> Message:
        """Answer a message if its token is correct and there is a place in the concurrency limit."""
        if method.access is Access.READ:
            return await self._answer_buffered(method, await receive(), call)
        is_admin = method.access is Access.ADMIN
        if error := self._limit.overload_error() or self._policy.check_headers(headers, is_admin=is_admin):
            raise error
        self._limit.acquire()
        try:
            return await self._answer_buffered(method, await receive(), call)
        finally:
            self._limit.release()

    async def _answer_buffered(self, method: _Method, data: bytes, call: Call) -> Message:
        """Answer a message, unless all messages together have too many bytes."""
        if self._buffered_bytes + len(data) > self._max_buffered_bytes:
            message = "The service is busy: it holds as many bytes of messages as it may. Try again in a second."
            raise Overloaded(message)
        self._buffered_bytes += len(data)
        try:
            return await method.answer(_parse(method.request_type, data), call)
        finally:
            self._buffered_bytes -= len(data)


def _parse(request_type: type[Message], data: bytes) -> Message:
    try:
        return request_type.FromString(data)
    except DecodeError as error:
        message = f"The message cannot be parsed as {request_type.DESCRIPTOR.full_name}: {error}."
        raise MalformedRequest(message) from error


def _no_trace(*_: object) -> AbstractContextManager[object]:
    return nullcontext()


async def _return(data: bytes) -> bytes:
    return data


def _headers(context: Context) -> Headers:
    """Return the metadata of a call as HTTP headers."""
    metadata = context.invocation_metadata() or ()
    return [(key.encode(), value.encode() if isinstance(value, str) else value) for key, value in metadata]


def _client(context: Context) -> tuple[str, str]:
    """Return the address and the port of the client, from `ipv4:127.0.0.1:5000` or `ipv6:%5B::1%5D:5000`."""
    address, _, port = unquote(context.peer()).partition(":")[2].rpartition(":")
    return address.strip("[]"), port
