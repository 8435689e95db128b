"""The servers that are compared: how each is started, where it takes pictures, how its answer reads. Drives none."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from app.inference.engines import TOLERANCES
from benchmarks import payloads
from benchmarks.environments import CACHE, PEERS, ROOT, SERVICE, pinned_version, prepare
from benchmarks.payloads import Body

Shape = Literal["raw", "multipart", "tensor", "batch"]
"""How pictures come: as the body, as the part of a form, as numbers in JSON, 64 of them as the parts of a form."""

WORKERS = 2
BATCH = 64


@dataclass(frozen=True)
class Answer:
    """What every server says of a picture."""

    digit: int
    probabilities: NDArray[np.float64]  # [10]


def _read_answer(content: dict[str, Any]) -> Answer:
    return Answer(content["digit"], np.asarray(content["probabilities"]))


@dataclass(frozen=True)
class Route:
    """Where a server takes a picture, in which shape, and how the JSON of its answer reads."""

    path: str
    carry: Callable[[bytes], Body]
    read_answer: Callable[[Any], Answer] = _read_answer


@dataclass(frozen=True)
class Server:
    """One contestant. `{port}` in its command and environment stands for the port it gets."""

    name: str
    label: str
    routes: Mapping[Shape, Route]
    command: tuple[str, ...]
    folder: Path = ROOT
    environment: Mapping[str, str] = field(default_factory=dict)
    normalises: bool = False
    """Whether it brings a picture into MNIST's form, rather than only resize it."""
    classifies: bool = True
    """Whether its answer depends on the picture."""
    tolerance: float = 2e-3
    """How far a probability may be from the model's own: the peers run it in another library, and may resize by another
    Pillow."""
    variant: frozenset[str] = frozenset()
    """Of a variant: the scenarios that it is there for."""


def raw_route(path: str = "/predict") -> Route:
    """Send one picture as the body."""
    return Route(path, payloads.raw)


def multipart_route(
    path: str = "/predict", part: str = "file", read_answer: Callable[[Any], Answer] = _read_answer
) -> Route:
    """Send one picture as the part of a form."""
    return Route(path, lambda picture: payloads.multipart(part, [picture]), read_answer)


def batch_route() -> Route:
    """Send a picture 64 times in one form; the answer is that of the last."""
    return Route(
        "/predict/batch",
        lambda picture: payloads.multipart("file", [picture] * BATCH),
        lambda content: _read_answer(content["predictions"][BATCH - 1]),
    )


def digitserve(models: Path) -> Server:
    """Start this service as `make serve` does, but for its access log: the others write none."""
    return Server(
        name="digitserve",
        label="Digitserve",
        routes={"raw": raw_route(), "multipart": multipart_route(), "batch": batch_route()},
        command=(str(prepare("digitserve", SERVICE) / "python"), "-m", "app"),
        environment={
            "PORT": "{port}",
            "WORKERS": str(WORKERS),
            "ACCESS_LOG": "false",
            "MODELS_DIR": str(models.absolute()),
        },
        normalises=True,
    )


def digitserve_with_log(models: Path) -> Server:
    """Start this service with its access log, which is how it comes."""
    plain = digitserve(models)
    return replace(
        plain,
        name="digitserve-log",
        label="Digitserve, access log on",
        environment={**plain.environment, "ACCESS_LOG": "true"},
        variant=frozenset(f"digit-{shape}-{connections}" for shape in ("raw", "multipart") for connections in (16, 64)),
    )


def digitserve_in_bfloat16(models: Path) -> Server:
    """Start this service in bfloat16; a processor that has none keeps it from starting."""
    plain = digitserve(models)
    return replace(
        plain,
        name="digitserve-bf16",
        label="Digitserve, bfloat16",
        environment={**plain.environment, "ENGINE": "openvino-bf16"},
        tolerance=TOLERANCES["openvino-bf16"],
        variant=frozenset({"digit-raw-16", "digit-raw-64", "digit-batch-4"}),
    )


def digitserve_alone(models: Path) -> Server:
    """Start this service with one worker."""
    plain = digitserve(models)
    return replace(
        plain,
        name="digitserve-one-worker",
        label="Digitserve, one worker",
        environment={**plain.environment, "WORKERS": "1"},
        variant=frozenset({"digit-raw-16", "digit-raw-64"}),
    )


def do_nothing() -> Server:
    """Start the server that all others are measured against."""
    uvicorn = "-m uvicorn serve:app --loop uvloop --http httptools --no-access-log --log-level warning --port {port}"
    return Server(
        name="do-nothing",
        label="Do nothing",
        routes={"raw": raw_route("/predict/raw"), "multipart": multipart_route()},
        command=(str(prepare("do_nothing") / "python"), *uvicorn.split(), "--workers", str(WORKERS)),
        folder=PEERS / "do_nothing",
        environment={"PYTHONPATH": str(ROOT)},  # for the shape of the answer
        classifies=False,
    )


def fastapi_tensorflow(saved_model: Path) -> Server:
    """Start FastAPI with TensorFlow behind it, without batches."""
    return Server(
        name="fastapi_tensorflow",
        label=f"FastAPI {pinned_version('fastapi_tensorflow', 'fastapi')} + TensorFlow",
        routes={"raw": raw_route("/predict/raw"), "multipart": multipart_route()},
        command=(str(prepare("fastapi_tensorflow") / "python"), "serve.py"),
        folder=PEERS / "fastapi_tensorflow",
        environment=_peer_environment(saved_model),
    )


def litserve(saved_model: Path) -> Server:
    """Start LitServe, whose uploads are forms with a part `request`."""
    return Server(
        name="litserve",
        label=f"LitServe {pinned_version('litserve', 'litserve')}",
        routes={"multipart": multipart_route(part="request")},
        command=(str(prepare("litserve") / "python"), "serve.py"),
        folder=PEERS / "litserve",
        environment=_peer_environment(saved_model),
    )


def bentoml(saved_model: Path) -> Server:
    """Start BentoML, whose batched methods take a form with a list of files."""
    serve = "-m bentoml serve serve:Digits --host 127.0.0.1 --port {port}"
    return Server(
        name="bentoml",
        label=f"BentoML {pinned_version('bentoml', 'bentoml')}",
        routes={"multipart": multipart_route(part="images", read_answer=lambda content: _read_answer(content[0]))},
        command=(str(prepare("bentoml") / "python"), *serve.split()),
        folder=PEERS / "bentoml",
        environment={
            **_peer_environment(saved_model),
            "BENTOML_HOME": str(CACHE / "bentoml-home"),
            "BENTOML_DO_NOT_TRACK": "True",
        },
    )


def mlserver(saved_model: Path) -> Server:
    """Start MLServer, which is sent the pixels as a tensor; the ports that it also wants are those after its own."""
    return Server(
        name="mlserver",
        label=f"MLServer {pinned_version('mlserver', 'mlserver')}",
        routes={"tensor": Route("/v2/models/digits/infer", payloads.tensor, _read_tensors)},
        command=(str(prepare("mlserver") / "mlserver"), "start", "."),
        folder=PEERS / "mlserver",
        environment={
            **_peer_environment(saved_model),
            "MLSERVER_HTTP_PORT": "{port}",
            "MLSERVER_GRPC_PORT": "{second_port}",
            "MLSERVER_METRICS_PORT": "{third_port}",
            "MLSERVER_METRICS_DIR": str(CACHE / "mlserver-metrics"),
            "MLSERVER_PARALLEL_WORKERS": str(WORKERS),
        },
    )


def ray_serve(saved_model: Path) -> Server:
    """Start Ray Serve on a Ray of its own."""
    return Server(
        name="ray",
        label=f"Ray Serve {pinned_version('ray', 'ray')}",
        routes={"raw": raw_route()},
        command=(str(prepare("ray") / "python"), "serve.py"),
        folder=PEERS / "ray",
        environment={**_peer_environment(saved_model), "RAY_USAGE_STATS_ENABLED": "0"},
    )


PEER_SERVERS: Mapping[str, Callable[[Path], Server]] = {
    "fastapi_tensorflow": fastapi_tensorflow,
    "litserve": litserve,
    "bentoml": bentoml,
    "mlserver": mlserver,
    "ray": ray_serve,
}
"""How to make each peer, given the folder of the SavedModel. May raise PeerUnavailableError."""


def _peer_environment(saved_model: Path) -> dict[str, str]:
    return {
        "MODEL_DIR": str(saved_model.absolute()),
        "PORT": "{port}",
        "WORKERS": str(WORKERS),
        "PYTHONPATH": str(PEERS),
        "HOME": str(CACHE / "home"),  # some keep files there
        # Two workers for two cores: more threads than that only get in each other's way.
        "TF_NUM_INTRAOP_THREADS": "1",
        "TF_NUM_INTEROP_THREADS": "1",
        "TF_CPP_MIN_LOG_LEVEL": "3",
    }


def _read_tensors(content: dict[str, Any]) -> Answer:
    outputs = {output["name"]: output["data"] for output in content["outputs"]}
    return Answer(outputs["digit"][0], np.asarray(outputs["probabilities"]))
