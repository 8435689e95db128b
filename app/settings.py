"""The settings of the service, read once from the environment: the name of each field, in capitals."""

import os
import re
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, AnyHttpUrl, BeforeValidator, DirectoryPath, Field, SecretStr, ValidationError
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
            message = f"'{pair}' is not the name of a model, a colon and the number of a version"
            raise ValueError(message)
        if found[1] in pairs:
            message = f"the model '{found[1]}' is there twice, and one version of it answers"
            raise ValueError(message)
        pairs[found[1]] = found[2]
    return pairs


def _check_origin(origin: str) -> str:
    found = re.fullmatch(r"([a-z][a-z0-9+.-]*)://(?:[a-z0-9._-]+|\[[0-9a-f:.]+\])(?::([0-9]{1,5}))?", origin)
    if origin != ANY_ORIGIN and (found is None or found.groups() in _USUAL_PORTS):
        message = (
            f"'{origin}' is not an origin as browsers send it: a scheme and a host, in lower case, and the port if it "
            "is not the usual one, such as 'https://digits.example' or 'http://localhost:3000'"
        )
        raise ValueError(message)
    return origin


def _check_token(token: SecretStr) -> SecretStr:
    if not re.fullmatch(r"[A-Za-z0-9._~+/-]+=*", token.get_secret_value()):  # RFC 6750, section 2.1
        message = "a bearer token has only letters, digits and - . _ ~ + /, and = at its end"
        raise ValueError(message)
    return token


ANY_ORIGIN = "*"
_USUAL_PORTS = {("http", "80"), ("https", "443")}  # which a browser leaves out of an origin
EngineKind = Literal["openvino", "openvino-bf16", "tensorflow"]  # as in engine.py, which this must not load
Token = Annotated[SecretStr, AfterValidator(_check_token)]


def _known_address(address: str) -> str:
    """Refuse an address that no file system can be found for, or whose package is missing."""
    from fsspec import get_filesystem_class  # noqa: PLC0415 - a megabyte of every worker that stores nothing
    from fsspec.core import split_protocol  # noqa: PLC0415

    protocol, _ = split_protocol(address)
    try:
        get_filesystem_class(protocol)
    except ImportError as error:
        raise ValueError(str(error)) from error
    return address


def _check_tracing(address: AnyHttpUrl) -> AnyHttpUrl:
    if find_spec("opentelemetry.sdk") is None:
        message = "traces need more packages: pip install '.[tracing]'"
        raise ValueError(message)
    return address


def _check_engine(engine: EngineKind) -> EngineKind:
    if engine == "tensorflow" and find_spec("tensorflow") is None:
        message = "TensorFlow is not installed: pip install '.[train]', or take 'openvino'"
        raise ValueError(message)
    return engine


class Settings(BaseSettings):
    """All that can be configured; frozen, so that nothing changes under a running service."""

    model_config = SettingsConfigDict(frozen=True, env_ignore_empty=True)

    host: Annotated[str, Field(description="Address to listen on; 0.0.0.0 for every interface.")] = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65535, description="TCP port, 0 to 65535; 0 takes a free one.")] = 8000
    workers: Annotated[
        int,
        Field(
            ge=1, le=256, description="Worker processes, 1 to 256, each with one inference thread. Default: the cores."
        ),
    ] = Field(default_factory=_cores)
    models_dir: Annotated[DirectoryPath, Field(description="Folder that holds `<name>/<version>/`; it must exist.")] = (
        Path("models")
    )
    default_model: Annotated[
        str, Field(pattern=r"^[a-z0-9_-]+$", description="The model that answers when a request names none.")
    ] = "convnet"
    required_models: Annotated[
        frozenset[str],
        NoDecode,
        BeforeValidator(_split_commas),
        Field(description="Models without which the service is not ready, separated by commas."),
    ] = frozenset({"convnet", "softmax"})
    keep_versions: Annotated[
        int, Field(ge=1, le=100, description="How many of the newest versions of each model are loaded, 1 to 100.")
    ] = 1
    model_versions: Annotated[
        dict[str, Annotated[int, Field(ge=1)]],
        NoDecode,
        BeforeValidator(_split_pairs),
        Field(description="Versions that answer in place of the newest: `convnet:1,softmax:2`."),
    ] = Field(default_factory=dict)
    shadow: Annotated[
        str | None,
        Field(
            pattern=r"^[a-z0-9_-]+:[a-z0-9_-]+(@([1-9][0-9]*|stable|latest))?$",
            description="Two models: what the first has answered the second scores too, and disagreement is counted: "
            "`softmax:convnet`, `convnet:convnet@latest`, `convnet:convnet@2`.",
        ),
    ] = None
    engine: Annotated[
        Annotated[EngineKind, AfterValidator(_check_engine)],
        Field(
            description="What runs the models: `openvino`, the same in bfloat16 as `openvino-bf16` where the processor "
            "has that, or `tensorflow` where that is installed."
        ),
    ] = "openvino"
    predict_token: Annotated[
        Token | None,
        Field(description="Bearer token without which no prediction is made; by default none is asked for."),
    ] = None
    admin_token: Annotated[
        Token | None,
        Field(
            description="Bearer token without which nothing is loaded or unloaded. "
            "By default none is asked for on a loopback `HOST`, and on others both are refused."
        ),
    ] = None
    allowed_origins: Annotated[
        frozenset[Annotated[str, AfterValidator(_check_origin)]],
        NoDecode,
        BeforeValidator(_split_commas),
        Field(
            description="Origins whose pages may ask for predictions, send corrections and read the answers, separated "
            "by commas: `https://digits.example,http://localhost:3000`, or `*` for any. By default the service's own."
        ),
    ] = frozenset()
    max_body_bytes: Annotated[
        int, Field(ge=1024, le=1024**3, description="Largest request body in bytes, 1024 to 1073741824.")
    ] = 8 * 1024**2
    max_buffered_bytes: Annotated[
        int,
        Field(
            ge=1024**2,
            le=64 * 1024**3,
            description="Most bytes of requests that one worker holds until they are answered, 1048576 to 68719476736, "
            "and at least one body; past it the request that has stopped for longest is dropped with 503.",
        ),
    ] = 64 * 1024**2
    max_pixels: Annotated[
        int, Field(ge=784, le=10**9, description="Most pixels a picture may have, 784 to 1000000000.")
    ] = 24_000_000
    max_files: Annotated[int, Field(ge=1, le=1024, description="Most pictures in one batch request, 1 to 1024.")] = 64
    longest_wait_seconds: Annotated[
        float,
        Field(
            ge=0.001,
            le=600,
            description="Longest wait before a large picture is read if two are before it, 0.001 to 600; past it 503.",
        ),
    ] = 0.04
    most_at_once: Annotated[
        int,
        Field(ge=1, le=100_000, description="Most requests that one worker answers at once, 1 to 100000; past it 503."),
    ] = 1024
    queue_size: Annotated[
        int, Field(ge=1, le=100_000, description="Most pictures that wait for one model in one worker, 1 to 100000.")
    ] = 1024
    upload_seconds: Annotated[
        float,
        Field(
            gt=0,
            le=3600,
            description="Longest time for a request to come in whole, above 0 to 3600; past it 408. Its answer has to "
            "be taken within the same time.",
        ),
    ] = 60.0
    deadline_seconds: Annotated[
        float,
        Field(gt=0, le=600, description="Longest time for one answer, above 0 to 600; past it the answer is 504."),
    ] = 10.0
    shutdown_seconds: Annotated[
        int, Field(ge=0, le=600, description="How long a stopping worker may take to finish what it took, 0 to 600.")
    ] = 30
    feedback_dir: Annotated[
        Annotated[str, AfterValidator(_known_address)] | None,
        Field(
            description="Where corrections are stored: a folder, or an address such as `s3://bucket/feedback`. "
            "By default none are collected."
        ),
    ] = None
    feedback_limit: Annotated[
        int, Field(ge=1, le=10**9, description="Most corrections that are stored, 1 to 1000000000; past it 507.")
    ] = 100_000
    feedback_seconds: Annotated[
        int, Field(ge=1, le=604_800, description="How long a prediction can be corrected, 1 to 604800.")
    ] = 3600
    feedback_key: Annotated[
        SecretStr | None,
        Field(
            description="Any secret text, with which a prediction can be corrected after a restart too, "
            "or on another machine that has the same. By default a new one at each start."
        ),
    ] = None
    otel_exporter_otlp_endpoint: Annotated[
        Annotated[AnyHttpUrl, AfterValidator(_check_tracing)] | None,
        Field(
            description="An OpenTelemetry collector's address for OTLP over HTTP, such as `http://127.0.0.1:4318`. "
            "By default no traces are sent."
        ),
    ] = None
    fast_path: Annotated[
        bool,
        Field(
            description="Whether small predictions take the fast path. `false` serves on unmodified uvicorn: the same "
            "answers at half the rate, without the limits on connections."
        ),
    ] = True
    access_log: Annotated[
        bool,
        Field(
            description="Whether each request is logged as one line of JSON. Without it, those that fail (500 and "
            "above) still are, but for 503: the ids of those are gathered, many to a line."
        ),
    ] = True


def explain(error: ValidationError) -> str:
    """Say which settings are bad: name, value, what is wrong with it and what is allowed.

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
