"""Fixtures for many tests: the published models, a digit drawn in code, and a client of a running application."""

import io
import json
import re
import shutil
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import httpx
import hypothesis
import pytest
from PIL import Image, ImageDraw
from structlog.testing import LogCapture

from app.main import create_app
from app.model_repository.artefact import find_models, find_versions
from app.observability.metrics import ServiceMetrics
from app.settings import Settings

MODELS = Path(__file__).parent.parent / "models"

# A machine that is busy with something else must not fail a test.
hypothesis.settings.register_profile("all tests", deadline=None)
hypothesis.settings.register_profile("fast tests", deadline=None, max_examples=20)

Serve = Callable[..., AbstractAsyncContextManager[httpx.AsyncClient]]

_ALL_SLOW = re.compile(r"^pytestmark = .*pytest\.mark\.slow\b", re.MULTILINE)


def pytest_configure(config: pytest.Config) -> None:
    """Have hypothesis try a fifth of the examples if only the fast tests are selected."""
    hypothesis.settings.load_profile("fast tests" if selects_fast_tests(config) else "all tests")


def selects_fast_tests(config: pytest.Config) -> bool:
    return bool(config.option.markexpr == "not slow")


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Do not even import files with only slow tests when these are deselected: many import TensorFlow."""
    skipped = selects_fast_tests(config) and collection_path.suffix == ".py"
    return True if skipped and _ALL_SLOW.search(collection_path.read_text()) else None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Start with the files that have slow tests, so that no process is left with a long one at the end."""
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in slow)


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def metrics() -> ServiceMetrics:
    """Return metrics that are all zero."""
    return ServiceMetrics()


@pytest.fixture
def log() -> LogCapture:
    """Return a processor that stores the entries of the log."""
    return LogCapture()


@pytest.fixture
def models_dir(tmp_path: Path) -> Path:
    """Return a folder of models that a test may change: the newest version of each, as version 1."""
    for name in find_models(MODELS):
        copy = shutil.copytree(newest(name), tmp_path / "models" / name / "1")
        card = json.loads((copy / "model.json").read_text())
        (copy / "model.json").write_text(json.dumps({**card, "version": 1}))
    return tmp_path / "models"


def keep_only(models_dir: Path, name: str) -> None:
    """Remove all models but one from a test's own folder."""
    for other in set(find_models(models_dir)) - {name}:
        shutil.rmtree(models_dir / other)


def newest(name: str) -> Path:
    """Return the folder of the newest published version of a model."""
    return MODELS / name / str(find_versions(MODELS / name)[0])


def publish(models_dir: Path, name: str, version: int) -> Path:
    """Publish another version of a model in a test's own folder: a copy of version 1 with another number."""
    hidden = Path(shutil.copytree(models_dir / name / "1", models_dir / name / f".{version}"))
    card = json.loads((hidden / "model.json").read_text())
    (hidden / "model.json").write_text(json.dumps(card | {"version": version}))
    return hidden.rename(models_dir / name / str(version))


@pytest.fixture(scope="session")
def seven() -> bytes:
    """Return a PNG file of a 7 in dark ink on a light background."""
    return draw_seven("PNG")


def draw_seven(type_: str, size: tuple[int, int] = (280, 280), mode: str = "L") -> bytes:
    """Return a file of a 7, in the format with this name in Pillow."""
    picture = Image.new("L", (280, 280), 250)
    ImageDraw.Draw(picture).line([(80, 70), (200, 70), (120, 220)], fill=10, width=22, joint="curve")
    file = io.BytesIO()
    picture.resize(size).convert(mode).save(file, type_)
    return file.getvalue()


@pytest.fixture(scope="session")
def serve() -> Serve:
    """Return a context manager that runs an application in this process and yields its client."""
    return _serve


@pytest.fixture(scope="session")
async def client(anyio_backend: str) -> AsyncIterator[httpx.AsyncClient]:
    """Return a client of an application with the default settings. All tests share it, as starting takes a while."""
    async with _serve() as client:
        yield client


@asynccontextmanager
async def _serve(*, ready: bool = True, **settings: object) -> AsyncIterator[httpx.AsyncClient]:
    app = create_app(Settings.model_validate({"models_dir": MODELS, "access_log": False, **settings}))
    transport = httpx.ASGITransport(app=app)
    async with (
        _starting_within(30 if ready else 0),
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://service") as client,
    ):
        if ready:
            assert (await client.get("/health/ready")).status_code == 200
        yield client


@asynccontextmanager
async def _starting_within(seconds: float) -> AsyncIterator[None]:
    """Make an application wait up to `seconds` seconds for its models before it accepts requests."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("app.main._START_SECONDS", seconds)
        yield
