"""The settings of the service. Each is read once, from the environment variable with the field's name in capitals."""

import os
import re
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Literal

from pydantic import (
    AfterValidator,
    AnyHttpUrl,
    BeforeValidator,
    DirectoryPath,
    Discriminator,
    Field,
    SecretStr,
    Tag,
    ValidationError,
    ValidationInfo,
)
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict


def _cores() -> int:
    """Count the cores this process may use, which in a container can be fewer than the machine has."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _split_commas(value: object) -> object:
    return [name.strip() for name in value.split(",") if name.strip()] if isinstance(value, str) else value


def _split_pairs(value: object) -> object:
    if not isinstance(value, str):
        return value
    pairs: dict[str, str] = {}
    for pair in filter(None, map(str.strip, value.split(","))):
        found = re.fullmatch(r"([^:\s]+)\s*:\s*([1-9][0-9]{0,17})", pair)
        if found is None:
            message = f"'{pair}' is not of the form <model>:<version>"
            raise ValueError(message)
        if found[1] in pairs:
            message = f"model '{found[1]}' is listed twice: pin one version of each model"
            raise ValueError(message)
        pairs[found[1]] = found[2]
    return pairs


def _check_origin(origin: str) -> str:
    found = re.fullmatch(r"([a-z][a-z0-9+.-]*)://(?:[a-z0-9._-]+|\[[0-9a-f:.]+\])(?::([0-9]{1,5}))?", origin)
    if origin != ANY_ORIGIN and (found is None or found.groups() in _DEFAULT_PORTS):
        message = (
            f"'{origin}' is not an origin as browsers send it: a scheme and a host, in lower case, and the port unless "
            "it is the default of the scheme, such as 'https://digits.example' or 'http://localhost:3000'"
        )
        raise ValueError(message)
    return origin


def _check_host(host: str) -> str:
    path = host.removeprefix(UNIX)
    if path != host and (not path.startswith("/") or len(os.fsencode(path)) > _MAX_SOCKET_PATH):
        message = f"the path of a socket begins with '/' and has at most {_MAX_SOCKET_PATH} bytes"
        raise ValueError(message)
    return host


def _check_root_path(path: str) -> str:
    path = path.rstrip("/")
    if path and not re.fullmatch(r"(/[A-Za-z0-9._~-]+)+", path):
        message = "a path begins with '/', such as '/digits' or '/team/digits'"
        raise ValueError(message)
    return path


def _check_token(token: SecretStr) -> SecretStr:
    if not re.fullmatch(r"[A-Za-z0-9._~+/-]+=*", token.get_secret_value()):  # RFC 6750, section 2.1
        message = "a bearer token has only letters, digits and - . _ ~ + /, and = at its end"
        raise ValueError(message)
    return token


def _check_classifiers(value: str) -> str:
    """Check that none of the models in the value is the finder, which classifies no images."""
    if FINDER in re.split(r"[:@]", value):
        message = f"model '{FINDER}' finds digits in pictures; it does not classify images"
        raise ValueError(message)
    return value


FINDER = "finder"
"""The name of the model that finds digits in pictures. All other models are classifiers."""
ANY_ORIGIN = "*"
UNIX = "unix:"
"""The beginning of a host that is the path of a Unix socket."""
_MAX_SOCKET_PATH = 107
"""In bytes, on Linux."""
_DEFAULT_PORTS = {("http", "80"), ("https", "443")}  # which a browser leaves out of an origin
EngineKind = Literal["openvino", "openvino-bf16", "tensorflow"]
Token = Annotated[SecretStr, AfterValidator(_check_token)]


def _check_store_url(address: str) -> str:
    """Check that fsspec has a file system for the URL or path, and that its package is installed."""
    from fsspec import get_filesystem_class  # noqa: PLC0415 - takes a megabyte, which workers without a store save
    from fsspec.core import split_protocol  # noqa: PLC0415

    protocol, _ = split_protocol(address)
    try:
        get_filesystem_class(protocol)
    except ImportError as error:
        raise ValueError(str(error)) from error
    return address


def _tag_models_dir(value: object) -> str:
    return "url" if isinstance(value, str) and "://" in value else "folder"


def _check_tracing(address: AnyHttpUrl) -> AnyHttpUrl:
    if find_spec("opentelemetry.sdk") is None:
        message = "traces need more packages: 'make serve' installs them, or pip install '.[tracing]'"
        raise ValueError(message)
    return address


def _check_grpc_port(port: int, info: ValidationInfo) -> int:
    if str(info.data.get("host", "")).startswith(UNIX):
        message = "gRPC is not served with HOST as a Unix socket: set HOST to an address, or leave out GRPC_PORT"
        raise ValueError(message)
    if any(find_spec(package) is None for package in ("grpc", "grpc_health", "grpc_reflection")):
        message = "gRPC needs more packages: pip install '.[grpc]'"
        raise ValueError(message)
    return port


def _check_engine(engine: EngineKind) -> EngineKind:
    if engine == "tensorflow" and find_spec("tensorflow") is None:
        message = "TensorFlow is not installed: pip install '.[train]', or take 'openvino'"
        raise ValueError(message)
    return engine


class Settings(BaseSettings):
    """All that can be configured; frozen, so that nothing changes under a running service."""

    model_config = SettingsConfigDict(frozen=True, env_ignore_empty=True)

    host: Annotated[
        Annotated[str, AfterValidator(_check_host)],
        Field(
            description="Address on which the service listens. `0.0.0.0` means all interfaces, and `unix:/run/digits` "
            "the Unix socket with this path."
        ),
    ] = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65535, description="TCP port, 0 to 65535. 0 selects a free port.")] = 8000
    grpc_port: Annotated[
        Annotated[int, AfterValidator(_check_grpc_port)] | None,
        Field(
            ge=1,
            le=65535,
            description="TCP port for the protocols of other model servers over gRPC, 1 to 65535. Default: no gRPC.",
        ),
    ] = None
    workers: Annotated[
        int,
        Field(
            ge=1, le=256, description="Number of worker processes, 1 to 256. Default: the number of available cores."
        ),
    ] = Field(default_factory=_cores)
    models_dir: Annotated[
        Annotated[DirectoryPath, Tag("folder")] | Annotated[str, AfterValidator(_check_store_url), Tag("url")],
        Discriminator(_tag_models_dir),
        Field(
            description="Folder with the models, as `<name>/<version>/`, which must exist, or the URL of such a folder "
            "in an object store, such as `s3://bucket/models`."
        ),
    ] = Path("models")
    models_cache_dir: Annotated[
        DirectoryPath | None,
        Field(
            description="Folder that keeps copies of the models of an object store, so that the service can start "
            "without the store. It must exist. Default: a temporary folder."
        ),
    ] = None
    default_model: Annotated[
        Annotated[str, AfterValidator(_check_classifiers)],
        Field(
            pattern=r"^[a-z0-9_-]+$",
            description="Model for requests that do not name a model. It must have a version in `MODELS_DIR`.",
        ),
    ] = "convnet"
    required_models: Annotated[
        frozenset[str],
        NoDecode,
        BeforeValidator(_split_commas),
        Field(description="Models that must be loaded before the service is ready, separated by commas."),
    ] = frozenset({"convnet", "softmax"})
    keep_versions: Annotated[
        int, Field(ge=1, le=100, description="Number of newest versions to load of each model, 1 to 100.")
    ] = 1
    model_versions: Annotated[
        dict[str, Annotated[int, Field(ge=1)]],
        NoDecode,
        BeforeValidator(_split_pairs),
        Field(description="Pinned versions, served instead of the newest versions: `convnet:7,softmax:3`."),
    ] = Field(default_factory=dict)
    shadow: Annotated[
        Annotated[str, AfterValidator(_check_classifiers)] | None,
        Field(
            pattern=r"^[a-z0-9_-]+:[a-z0-9_-]+(@([1-9][0-9]*|stable|latest))?$",
            description="Shadow model, as `<served>:<shadow>`. The shadow also classifies the images of the served "
            "model, and differences are counted: `softmax:convnet`, `convnet:convnet@latest`, `convnet:convnet@7`.",
        ),
    ] = None
    engine: Annotated[
        Annotated[EngineKind, AfterValidator(_check_engine)],
        Field(
            description="Inference engine: `openvino`, `openvino-bf16` (bfloat16, on processors that support it) or "
            "`tensorflow` (if it is installed)."
        ),
    ] = "openvino"
    predict_token: Annotated[
        Token | None,
        Field(
            description="Bearer token that POST requests must have, except loading and unloading. Default: no token."
        ),
    ] = None
    admin_token: Annotated[
        Token | None,
        Field(
            description="Bearer token that requests to load or unload a model must have. "
            "Default: no token on a loopback `HOST`; on another `HOST` these requests are refused."
        ),
    ] = None
    root_path: Annotated[
        Annotated[str, AfterValidator(_check_root_path)],
        Field(
            description="Path under which a proxy publishes the service, such as `/digits`. Requests can have it or "
            "not. Default: none."
        ),
    ] = ""
    allowed_origins: Annotated[
        frozenset[Annotated[str, AfterValidator(_check_origin)]],
        NoDecode,
        BeforeValidator(_split_commas),
        Field(
            description="Origins of pages that may send requests and read the responses (CORS), separated by commas: "
            "`https://digits.example,http://localhost:3000`, or `*` for all. Default: only the service's own origin."
        ),
    ] = frozenset()
    max_body_bytes: Annotated[
        int, Field(ge=1024, le=1024**3, description="Maximum size of a request body in bytes, 1024 to 1073741824.")
    ] = 8 * 1024**2
    max_buffered_bytes: Annotated[
        int,
        Field(
            ge=1024**2,
            le=64 * 1024**3,
            description="Maximum number of bytes that the unanswered requests of one worker hold in memory, 1048576 to "
            "68719476736. A value below twice `MAX_BODY_BYTES` is raised to that. Above the limit, the upload that has "
            "been stalled longest gets 503.",
        ),
    ] = 64 * 1024**2
    max_pixels: Annotated[
        int, Field(ge=784, le=10**9, description="Maximum number of pixels of a picture, 784 to 1000000000.")
    ] = 24_000_000
    max_files: Annotated[
        int, Field(ge=1, le=1024, description="Maximum number of pictures in a request, 1 to 1024.")
    ] = 64
    longest_wait_seconds: Annotated[
        float,
        Field(
            ge=0.001,
            le=600,
            description="Maximum expected time in the queue for a large picture, in seconds, 0.001 to 600. Above it, "
            "the request gets 503. The first two large pictures are accepted whatever the expected time.",
        ),
    ] = 0.04
    most_at_once: Annotated[
        int,
        Field(
            ge=1,
            le=100_000,
            description="Maximum number of concurrent POST requests in one worker, 1 to 100000. Above it, requests get "
            "503.",
        ),
    ] = 1024
    queue_size: Annotated[
        int,
        Field(
            ge=1,
            le=100_000,
            description="Maximum number of images in the queue of one model in one worker, 1 to 100000.",
        ),
    ] = 1024
    upload_seconds: Annotated[
        float,
        Field(
            gt=0,
            le=3600,
            description="Maximum time to receive a request, in seconds, above 0 to 3600. After it, the request gets "
            "408. The client has to receive the response within the same time.",
        ),
    ] = 60.0
    deadline_seconds: Annotated[
        float,
        Field(
            gt=0,
            le=600,
            description="Maximum time to process a request, in seconds, above 0 to 600. After it, the request gets "
            "504.",
        ),
    ] = 10.0
    drain_seconds: Annotated[
        float,
        Field(
            ge=0,
            le=600,
            description="Time between SIGTERM and closing the port, in seconds, 0 to 600. In this time the service "
            "answers requests, and `/health/ready` returns 503.",
        ),
    ] = 0.0
    shutdown_seconds: Annotated[
        int,
        Field(
            ge=0, le=600, description="Maximum time for a stopping worker to finish its requests, in seconds, 0 to 600."
        ),
    ] = 30
    feedback_dir: Annotated[
        Annotated[str, AfterValidator(_check_store_url)] | None,
        Field(
            description="Folder or URL for corrections, such as `s3://bucket/feedback`. Default: corrections are not "
            "collected."
        ),
    ] = None
    feedback_limit: Annotated[
        int,
        Field(
            ge=1,
            le=10**9,
            description="Maximum number of stored corrections, 1 to 1000000000. Above it, corrections get 507.",
        ),
    ] = 100_000
    feedback_seconds: Annotated[
        int,
        Field(ge=1, le=604_800, description="Time in which a prediction can be corrected, in seconds, 1 to 604800."),
    ] = 3600
    feedback_key: Annotated[
        SecretStr | None,
        Field(
            description="Secret text that signs prediction ids. Set the same text on all machines, so that predictions "
            "can be corrected on each of them and after a restart. Default: a new random key at each start."
        ),
    ] = None
    otel_exporter_otlp_endpoint: Annotated[
        Annotated[AnyHttpUrl, AfterValidator(_check_tracing)] | None,
        Field(
            description="URL of an OpenTelemetry collector (OTLP over HTTP), such as `http://127.0.0.1:4318`. Traces "
            "are sent to its path `/v1/traces`. Default: no traces are sent."
        ),
    ] = None
    otel_exporter_otlp_traces_endpoint: Annotated[
        Annotated[AnyHttpUrl, AfterValidator(_check_tracing)] | None,
        Field(
            description="URL to which traces are sent, with its whole path, such as "
            "`http://127.0.0.1:4318/v1/traces`. It takes precedence. Default: that of `OTEL_EXPORTER_OTLP_ENDPOINT`."
        ),
    ] = None
    fast_path: Annotated[
        bool,
        Field(
            description="Whether small predictions use the fast path. `false` serves on unmodified uvicorn: the same "
            "answers at half the rate, without the connection limits."
        ),
    ] = True
    access_log: Annotated[
        bool,
        Field(
            description="Whether each request is logged as one line of JSON. `false` logs only statuses 500 and above. "
            "The ids of requests with status 503 are then combined, up to 50 in a line."
        ),
    ] = True

    @property
    def traces_endpoint(self) -> str | None:
        """The URL to which traces are sent; None if there are none."""
        if self.otel_exporter_otlp_traces_endpoint is not None:
            return str(self.otel_exporter_otlp_traces_endpoint)
        if self.otel_exporter_otlp_endpoint is not None:
            return f"{str(self.otel_exporter_otlp_endpoint).rstrip('/')}/v1/traces"
        return None


def describe_errors(error: ValidationError) -> str:
    """Describe the invalid settings: name, value, what is wrong with it and what is allowed.

    Args:
        error: what `Settings()` raised.

    Returns:
        One line for each bad setting; a secret is not repeated.

    """
    lines = []
    for problem in error.errors():
        field = str(problem["loc"][0])
        allowed = Settings.model_fields[field].description or ""
        value = "..." if field.endswith(("_token", "_key")) else str(problem["input"])
        lines.append(f"{field.upper()}={value!r} is not valid: {problem['msg']}. Expected: {allowed}")
    return "\n".join(lines)
