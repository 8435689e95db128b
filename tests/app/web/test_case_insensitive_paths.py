import pytest
from starlette.types import Message, Receive, Scope, Send

from app.web.case_insensitive_paths import CaseInsensitivePathsMiddleware

pytestmark = pytest.mark.anyio


async def received_path(path: str) -> str:
    """Return the path that the application receives."""
    paths = []

    async def app(scope: Scope, _receive: Receive, _send: Send) -> None:
        paths.append(scope["path"])

    async def receive() -> Message:
        raise AssertionError

    async def send(_message: Message) -> None:
        raise AssertionError

    await CaseInsensitivePathsMiddleware(app)({"type": "http", "path": path}, receive, send)
    return str(paths[0])


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/V1/MODELS/Convnet/Versions/3:Predict", "/v1/models/Convnet/versions/3:predict"),
        ("/v1/Models/convnet/LABELS/stable/MetaData", "/v1/models/convnet/labels/stable/metadata"),
        ("/v1/modelsX/x:predictX", "/v1/modelsX/x:predictX"),
        ("/V2/MODELS/convnet", "/V2/MODELS/convnet"),
    ],
)
async def test_keywords_are_in_lower_case_and_names_are_unchanged(path: str, expected: str) -> None:
    assert await received_path(path) == expected
