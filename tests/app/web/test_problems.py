import httpx
import pytest
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from app import errors
from app.schemas import Problem
from app.web import problems
from imaging import PictureError


def concrete_classes(class_: type[Exception]) -> set[type[Exception]]:
    below = class_.__subclasses__()
    return set().union(*map(concrete_classes, below)) if below else {class_}


def test_all_errors_have_a_status() -> None:
    classes = concrete_classes(errors.ServiceError) | concrete_classes(PictureError)
    assert not {class_ for class_ in classes if not issubclass(class_, tuple(problems.PROBLEM_TYPES))}


def test_names_are_unique_and_statuses_are_errors() -> None:
    types = {*problems.PROBLEM_TYPES.values(), problems.INTERNAL}
    assert len({type_.name for type_ in types}) == len(types)
    assert all(400 <= type_.status < 600 for type_ in types)


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (errors.UnknownModel("x", []), 404),
        (RequestValidationError([]), 400),
        (HTTPException(405), 405),
        (ZeroDivisionError(), 500),
    ],
)
def test_the_type_of_an_error_has_its_status(error: Exception, status: int) -> None:
    assert problems.problem_type_of(error).status == status


def test_only_status_503_has_retry_after() -> None:
    def headers(status: int) -> set[str]:
        problem = Problem(type="t", title="t", status=status, detail="d", instance="/", request_id="r")
        return set(problems.problem_response(problem).headers)

    assert "retry-after" in headers(503)
    assert "retry-after" not in headers(400)


@pytest.mark.anyio
async def test_options_is_answered_with_the_methods_of_the_path(client: httpx.AsyncClient) -> None:
    for path, allowed in (
        ("/predict", "OPTIONS, POST"),
        ("/models", "GET, HEAD, OPTIONS"),
        ("/v1/models/convnet", "GET, HEAD, OPTIONS"),
        ("/V1/models/convnet:Predict", "OPTIONS, POST"),
        ("/v1/models/convnet/labels/stable:regress", "OPTIONS, POST"),
        ("/v2/models/convnet/infer", "OPTIONS, POST"),
    ):
        response = await client.options(path)
        assert (response.status_code, response.headers["allow"], response.content) == (204, allowed, b"")
    assert (await client.options("/nowhere")).status_code == 404
    assert (await client.put("/predict")).status_code == 405


@pytest.mark.anyio
@pytest.mark.parametrize(("path", "status"), [("/v2/models/convnet/infer", 415), ("/v1/models/convnet:predict", 400)])
async def test_an_unsupported_content_encoding_is_answered_with_the_supported_ones(
    client: httpx.AsyncClient, path: str, status: int
) -> None:
    for encoding in ("br", "zstd", "gzip, gzip", "compress"):
        response = await client.post(path, content=b"{}", headers={"content-encoding": encoding})
        assert (response.status_code, response.headers["accept-encoding"]) == (status, "gzip, deflate")
    assert "accept-encoding" not in (await client.post(path, content=b"{}")).headers


@pytest.mark.parametrize(
    ("path", "status", "sent"),
    [("/v2/models/m", 415, 415), ("/v2", 404, 404), ("/v1/models/m", 415, 400), ("/V1/x", 422, 400), ("/v1", 504, 504)],
)
def test_errors_of_the_tensor_protocols_have_their_format(path: str, status: int, sent: int) -> None:
    response = problems.problem_response(
        Problem(type="t", title="t", status=status, detail="d", instance=path, request_id="r")
    )
    assert (response.status_code, response.body) == (sent, b'{"error":"d"}')
    assert response.headers["content-type"] == "application/json"


@pytest.mark.parametrize("path", ["/", "/v2x", "/v10/models", "/predict", "/V3/models"])
def test_errors_of_other_paths_are_problem_details(path: str) -> None:
    response = problems.problem_response(
        Problem(type="t", title="t", status=404, detail="d", instance=path, request_id="r")
    )
    assert response.headers["content-type"] == "application/problem+json"
