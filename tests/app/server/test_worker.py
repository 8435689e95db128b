import gc

import pytest

from app.server.worker import create_worker_app
from app.settings import Settings

pytestmark = pytest.mark.anyio


def test_the_garbage_collector_skips_the_objects_of_the_application(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.main.configure_logging", lambda: None)
    objects = len(gc.get_objects())
    try:
        create_worker_app()
        assert len(gc.get_objects()) < objects / 10
    finally:
        gc.unfreeze()


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        (
            {},
            {"upload_seconds", "byte_budget", "admission_control", "refusals", "fast_path", "head_cache", "root_path"},
        ),
        ({"otel_exporter_otlp_endpoint": "http://127.0.0.1:4318"}, {"upload_seconds", "byte_budget"}),
        ({"allowed_origins": "https://digits.example"}, {"upload_seconds", "byte_budget"}),
    ],
)
async def test_the_lifespan_state_has_what_connections_need(settings: dict[str, str], expected: set[str]) -> None:
    app = create_worker_app(Settings.model_validate(settings))
    gc.unfreeze()
    async with app.router.lifespan_context(app) as state:
        assert set(state or ()) == expected
