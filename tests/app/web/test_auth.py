import httpx
import pytest
from fastapi import FastAPI

from app.observability.metrics import ServiceMetrics
from app.observability.request_log import RequestLog
from app.settings import Settings
from app.web.auth import AccessPolicy, AuthMiddleware
from app.web.request_log_middleware import RequestLogMiddleware

pytestmark = pytest.mark.anyio

LOAD = "/v2/repository/models/softmax/load"


def client(**settings: object) -> httpx.AsyncClient:
    app = FastAPI()
    app.state.metrics = ServiceMetrics()

    @app.get("/models")
    @app.post("/predict")
    @app.post(LOAD)
    async def work() -> str:
        return "done"

    app.add_middleware(AuthMiddleware, policy=AccessPolicy(Settings.model_validate(settings)))
    app.add_middleware(RequestLogMiddleware, recorder=RequestLog(app.state.metrics, log=None, access_log=False))
    return httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://service")


def bearer(token: str, scheme: str = "Bearer") -> dict[str, str]:
    return {"Authorization": f"{scheme} {token}"}


async def test_no_token_is_required_by_default() -> None:
    async with client() as service:
        for path in ("/predict", LOAD):
            assert (await service.post(path)).status_code == 200


@pytest.mark.parametrize("headers", [{}, bearer("wrong"), bearer(""), bearer("secret", "Basic"), bearer("secrets")])
async def test_a_prediction_without_the_correct_token_is_refused(headers: dict[str, str]) -> None:
    async with client(predict_token="secret") as service:
        response = await service.post("/predict", headers=headers)
        assert response.status_code == response.json()["status"] == 401
        assert response.headers["www-authenticate"] == 'Bearer realm="digitserve"'
        assert response.headers["content-type"] == "application/problem+json"
        assert "PREDICT_TOKEN" in response.json()["detail"]
        assert (await service.get("/models")).status_code == 200


@pytest.mark.parametrize("scheme", ["Bearer", "bearer"])
async def test_a_prediction_with_the_correct_token_is_answered(scheme: str) -> None:
    async with client(predict_token="secret") as service:
        assert (await service.post("/predict", headers=bearer("secret", scheme))).status_code == 200


async def test_loading_requires_the_admin_token() -> None:
    async with client(predict_token="secret", admin_token="other") as service:
        assert (await service.post(LOAD, headers=bearer("other"))).status_code == 200
        assert (await service.post("/predict", headers=bearer("other"))).status_code == 401
        refused = await service.post(LOAD, headers=bearer("secret"))
    assert refused.status_code == 401
    assert "ADMIN_TOKEN" in refused.json()["error"]


@pytest.mark.parametrize(
    ("host", "status"),
    [("127.0.0.1", 200), ("::1", 200), ("localhost", 200), ("unix:/run/x", 200), ("0.0.0.0", 403), ("x.example", 403)],
)
async def test_loading_without_a_token_is_allowed_on_loopback_addresses_only(host: str, status: int) -> None:
    async with client(host=host) as service:
        response = await service.post(LOAD)
        assert response.status_code == status
        assert (await service.post("/predict")).status_code == 200
    if status == 403:
        assert f"listens on {host}" in response.json()["error"]
        assert "Set one" in response.json()["error"]
    async with client(host=host, admin_token="other") as service:
        assert (await service.post(LOAD, headers=bearer("other"))).status_code == 200


@pytest.mark.parametrize(
    ("host", "origin", "status"),
    [
        ("127.0.0.1:8000", "http://127.0.0.1:8000", 200),
        ("localhost:8000", "http://localhost:8000", 200),
        ("[::1]:8000", "http://[::1]:8000", 200),
        ("127.0.0.1:8000", "https://elsewhere.example", 403),
        ("127.0.0.1:8000", "http://127.0.0.1:9000", 403),
        ("127.0.0.1:8000", "null", 403),
        ("127.0.0.1:8000", "http://[", 403),
        ("rebound.example:8000", "http://rebound.example:8000", 403),
    ],
)
async def test_requests_from_pages_of_other_origins_are_refused_on_loopback_addresses(
    host: str, origin: str, status: int
) -> None:
    headers = {"Host": host, "Origin": origin}
    async with client() as service:
        response = await service.post(LOAD, headers=headers)
        work = await service.post("/predict", headers=headers)
        assert response.status_code == work.status_code == status
        assert (await service.get("/models", headers=headers)).status_code == 200
    if status == 403:
        assert f"sent by a page of {origin}, which" in response.json()["error"]
        assert f"sent by a page of {origin}, which" in work.json()["detail"]
        assert "ALLOWED_ORIGINS" in work.json()["detail"]
    async with client(admin_token="other", predict_token="secret") as service:
        assert (await service.post(LOAD, headers=headers | bearer("other"))).status_code == 200
        assert (await service.post("/predict", headers=headers | bearer("secret"))).status_code == 200


@pytest.mark.parametrize("allowed", ["https://digits.example,http://localhost:3000", "*"])
async def test_a_page_of_an_allowed_origin_may_predict_but_not_load(allowed: str) -> None:
    headers = {"Host": "127.0.0.1:8000", "Origin": "https://digits.example"}
    async with client(allowed_origins=allowed) as service:
        assert (await service.post("/predict", headers=headers)).status_code == 200
        assert (await service.post(LOAD, headers=headers)).status_code == 403
        others = [await service.post("/predict", headers=headers | {"Origin": each}) for each in OTHER_ORIGINS]
        assert {other.status_code for other in others} == ({200} if allowed == "*" else {403})


OTHER_ORIGINS = (
    "null",
    "http://digits.example",
    "https://digits.example:8443",
    "https://digits.example.elsewhere.example",
)


async def test_pages_of_all_origins_may_predict_on_public_addresses() -> None:
    async with client(host="0.0.0.0") as service:
        response = await service.post("/predict", headers={"Origin": "https://elsewhere.example"})
        assert response.status_code == 200
        assert "access-control-allow-origin" not in response.headers


async def test_the_message_contains_the_beginning_of_a_long_origin() -> None:
    async with client() as service:
        response = await service.post("/predict", headers={"Origin": "https://" + "x" * 10_000})
    assert len(response.json()["detail"]) < 500
