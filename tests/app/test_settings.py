import sys

import pytest
from pydantic import ValidationError

from app.settings import Settings, describe_errors


@pytest.mark.parametrize(
    ("name", "value", "allowed"),
    [
        ("PORT", "99999", "0 to 65535"),
        ("GRPC_PORT", "0", "1 to 65535"),
        ("GRPC_PORT", "65536", "1 to 65535"),
        ("GRPC_PORT", "on", "1 to 65535"),
        ("WORKERS", "none", "1 to 256"),
        ("MODELS_DIR", "/no/such/folder", "must exist"),
        ("DEFAULT_MODEL", "../secret", "Model for requests"),
        ("ENGINE", "caffe", "`openvino`"),
        ("MAX_BODY_BYTES", "-1", "1024 to 1073741824"),
        ("MAX_PIXELS", "1e99", "784 to 1000000000"),
        ("DEADLINE_SECONDS", "0", "above 0 to 600"),
        ("ACCESS_LOG", "perhaps", "logged"),
        ("HOST", "unix:relative.sock", "Unix socket"),
        ("HOST", "unix:/" + 107 * "a", "Unix socket"),
        ("ROOT_PATH", "digits", "such as `/digits`"),
        ("ROOT_PATH", "/a//b", "such as `/digits`"),
        ("DRAIN_SECONDS", "601", "0 to 600"),
    ],
)
def test_a_bad_setting_is_named_with_its_value_and_range(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, allowed: str
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(ValidationError) as caught:
        Settings()
    (line,) = describe_errors(caught.value).splitlines()
    assert line.startswith(f"{name}='{value}' is not valid")
    assert allowed in line


def test_every_bad_setting_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PORT", "x")
    monkeypatch.setenv("QUEUE_SIZE", "0")
    with pytest.raises(ValidationError) as caught:
        Settings()
    assert [line.split("=")[0] for line in describe_errors(caught.value).splitlines()] == ["PORT", "QUEUE_SIZE"]


def test_an_empty_setting_is_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PORT", "")
    assert Settings().port == 8000


def test_names_are_separated_by_commas(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REQUIRED_MODELS", "convnet, softmax,")
    assert Settings().required_models == {"convnet", "softmax"}


def test_settings_do_not_change() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        Settings().port = 1  # type: ignore[misc]


def test_versions_are_pinned_in_pairs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MODEL_VERSIONS", "convnet:1, softmax:2")
    assert Settings().model_versions == {"convnet": 1, "softmax": 2}


def test_a_model_that_is_pinned_to_two_versions_stops_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MODEL_VERSIONS", "convnet:1,convnet:2")
    with pytest.raises(ValidationError) as caught:
        Settings()
    assert describe_errors(caught.value).startswith("MODEL_VERSIONS='convnet:1,convnet:2' is not valid")
    assert "'convnet' is listed twice" in describe_errors(caught.value)


@pytest.mark.parametrize("value", ["convnet", "convnet:", "convnet:0", "convnet:latest"])
def test_a_pin_that_is_no_pair_of_name_and_number_stops_the_start(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("MODEL_VERSIONS", value)
    with pytest.raises(ValidationError) as caught:
        Settings()
    assert describe_errors(caught.value).startswith(
        f"MODEL_VERSIONS={value!r} is not valid: Value error, '{value}' is not of the form"
    )
    assert "Expected: Pinned versions, served instead of the newest versions: `" in describe_errors(caught.value)


@pytest.mark.parametrize("package", ["grpc", "grpc_health", "grpc_reflection"])
def test_grpc_without_its_packages_stops_the_start(monkeypatch: pytest.MonkeyPatch, package: str) -> None:
    monkeypatch.setenv("GRPC_PORT", "8001")
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(ValidationError) as caught:
        Settings()
    assert describe_errors(caught.value).startswith(
        "GRPC_PORT='8001' is not valid: Value error, gRPC needs more packages: pip install '.[grpc]'"
    )


def test_grpc_beside_a_unix_socket_stops_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRPC_PORT", "8001")
    monkeypatch.setenv("HOST", "unix:/run/digits")
    with pytest.raises(ValidationError) as caught:
        Settings()
    assert "GRPC_PORT='8001' is not valid: Value error, gRPC is not served with HOST" in describe_errors(caught.value)


def test_an_engine_that_is_not_installed_stops_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ENGINE", "tensorflow")
    monkeypatch.setitem(sys.modules, "tensorflow", None)  # which Python takes for: there is none
    with pytest.raises(ValidationError) as caught:
        Settings()
    assert describe_errors(caught.value).startswith(
        "ENGINE='tensorflow' is not valid: Value error, TensorFlow is not installed"
    )
    assert "pip install '.[train]'" in describe_errors(caught.value)


def test_a_token_is_never_printed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ADMIN_TOKEN", "not a token")
    with pytest.raises(ValidationError) as caught:
        Settings()
    assert describe_errors(caught.value).startswith("ADMIN_TOKEN='...' is not valid")
    assert "not a token" not in describe_errors(caught.value)
    monkeypatch.setenv("ADMIN_TOKEN", "a-token=")
    assert "a-token" not in repr(Settings())


def test_origins_are_separated_by_commas(monkeypatch: pytest.MonkeyPatch) -> None:
    assert Settings().allowed_origins == frozenset()
    monkeypatch.setenv("ALLOWED_ORIGINS", "https://digits.example, http://localhost:3000,http://[::1]:8080,")
    assert Settings().allowed_origins == {"https://digits.example", "http://localhost:3000", "http://[::1]:8080"}
    monkeypatch.setenv("ALLOWED_ORIGINS", "*")
    assert Settings().allowed_origins == {"*"}


@pytest.mark.parametrize(
    "origin",
    [
        "digits.example",
        "https://digits.example/",
        "https://Digits.example",
        "https://digits.example:443",
        "http://localhost:80",
        "https://*.example",
        "https://user@digits.example",
        "null",
        "https://a b",
    ],
)
def test_what_no_browser_sends_as_an_origin_stops_the_start(monkeypatch: pytest.MonkeyPatch, origin: str) -> None:
    monkeypatch.setenv("ALLOWED_ORIGINS", f"http://localhost:3000,{origin}")
    with pytest.raises(ValidationError) as caught:
        Settings()
    assert f"'{origin}' is not an origin as browsers send it" in describe_errors(caught.value)
    assert describe_errors(caught.value).startswith("ALLOWED_ORIGINS='")


@pytest.mark.parametrize(
    ("name", "value"), [("DEFAULT_MODEL", "finder"), ("SHADOW", "finder:convnet"), ("SHADOW", "convnet:finder@2")]
)
def test_the_finder_where_a_classifier_is_needed_stops_the_start(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(ValidationError) as caught:
        Settings()
    assert "model 'finder' finds digits in pictures; it does not classify images" in describe_errors(caught.value)


def test_a_root_path_may_end_with_a_slash(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ROOT_PATH", "/team/digits/")
    assert Settings().root_path == "/team/digits"
