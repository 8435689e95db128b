"""The compared servers: how to start each one, its routes, and how to parse its answers. Sends no requests."""

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
"""The shape of a request: a picture as the body, as a part of a form, as a tensor in JSON, or 64 as parts of a form."""

WORKERS = 2
BATCH = 64


@dataclass(frozen=True)
class Answer:
    """The prediction of a server for a picture."""

    digit: int
    probabilities: NDArray[np.float64]  # [10]


def _read_answer(content: dict[str, Any]) -> Answer:
    return Answer(content["digit"], np.asarray(content["probabilities"]))


@dataclass(frozen=True)
class Route:
    """The path of a server's route, how to build the request's body, and how to parse the JSON of its answer."""

    path: str
    build_body: Callable[[bytes], Body]
    read_answer: Callable[[Any], Answer] = _read_answer


@dataclass(frozen=True)
class Server:
    """A compared server. `{port}` in its command and environment is replaced by its port."""

    name: str
    label: str
    routes: Mapping[Shape, Route]
    command: tuple[str, ...]
    folder: Path = ROOT
    environment: Mapping[str, str] = field(default_factory=dict)
    normalises: bool = False
    """Whether it converts a picture to MNIST's form instead of only resizing it."""
    classifies: bool = True
    """Whether its answer depends on the picture."""
    tolerance: float = 2e-3
    """The largest deviation of a probability from the model's. The peers run the model in another library, and may
    resize with another version of Pillow."""
    variant: frozenset[str] = frozenset()
    """For a variant of this service: the scenarios in which it is measured."""


def raw_route(path: str = "/predict") -> Route:
    """Send one picture as the body."""
    return Route(path, payloads.raw)


def multipart_route(
    path: str = "/predict", part: str = "file", read_answer: Callable[[Any], Answer] = _read_answer
) -> Route:
    """Send one picture as the part of a form."""
    return Route(path, lambda picture: payloads.multipart(part, [picture]), read_answer)


def batch_route() -> Route:
    """Send a picture 64 times in one form. The answer for the last one is used."""
    return Route(
        "/predict/batch",
        lambda picture: payloads.multipart("file", [picture] * BATCH),
        lambda content: _read_answer(content["predictions"][BATCH - 1]),
    )


def digitserve(models: Path) -> Server:
    """Start this service as `make serve` does, but without access log, like the other servers."""
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
    """Start this service with its access log, which is the default."""
    plain = digitserve(models)
    return replace(
        plain,
        name="digitserve-log",
        label="Digitserve, access log on",
        environment={**plain.environment, "ACCESS_LOG": "true"},
        variant=frozenset(f"digit-{shape}-{connections}" for shape in ("raw", "multipart") for connections in (16, 64)),
    )


def digitserve_in_bfloat16(models: Path) -> Server:
    """Start this service in bfloat16. On a processor without bfloat16 it does not start."""
    plain = digitserve(models)
    return replace(
        plain,
        name="digitserve-bf16",
        label="Digitserve, bfloat16",
        environment={**plain.environment, "ENGINE": "openvino-bf16"},
        tolerance=TOLERANCES["openvino-bf16"],
        variant=frozenset({"digit-raw-16", "digit-raw-64", "digit-batch-4"}),
    )


def digitserve_one_worker(models: Path) -> Server:
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
    """Start the FastAPI application that returns a constant, which is the reference for the others."""
    uvicorn = "-m uvicorn serve:app --loop uvloop --http httptools --no-access-log --log-level warning --port {port}"
    return Server(
        name="do-nothing",
        label="Do nothing",
        routes={"raw": raw_route("/predict/raw"), "multipart": multipart_route()},
        command=(str(prepare("do_nothing") / "python"), *uvicorn.split(), "--workers", str(WORKERS)),
        folder=PEERS / "do_nothing",
        environment={"PYTHONPATH": str(ROOT)},  # for the schema of the answer
        classifies=False,
    )


def fastapi_tensorflow(saved_model: Path) -> Server:
    """Start FastAPI with TensorFlow, without batching."""
    return Server(
        name="fastapi_tensorflow",
        label=f"FastAPI {pinned_version('fastapi_tensorflow', 'fastapi')} + TensorFlow",
        routes={"raw": raw_route("/predict/raw"), "multipart": multipart_route()},
        command=(str(prepare("fastapi_tensorflow") / "python"), "serve.py"),
        folder=PEERS / "fastapi_tensorflow",
        environment=_peer_environment(saved_model),
    )


def fastapi_openvino(saved_model: Path) -> Server:
    """Start FastAPI with OpenVINO, without batching: the plain way to serve a model fast."""
    uvicorn = "-m uvicorn serve:app --loop uvloop --http httptools --no-access-log --log-level warning --port {port}"
    return Server(
        name="fastapi_openvino",
        label=f"FastAPI {pinned_version('fastapi_openvino', 'fastapi')} + OpenVINO, thirty lines",
        routes={"raw": raw_route("/predict/raw"), "multipart": multipart_route()},
        command=(str(prepare("fastapi_openvino") / "python"), *uvicorn.split(), "--workers", str(WORKERS)),
        folder=PEERS / "fastapi_openvino",
        environment=_peer_environment(saved_model),
    )


def litserve(saved_model: Path) -> Server:
    """Start LitServe, which takes uploads as forms with a part `request`."""
    return Server(
        name="litserve",
        label=f"LitServe {pinned_version('litserve', 'litserve')} + TensorFlow",
        routes={"multipart": multipart_route(part="request")},
        command=(str(prepare("litserve") / "python"), "serve.py"),
        folder=PEERS / "litserve",
        environment=_peer_environment(saved_model),
    )


def bentoml(saved_model: Path) -> Server:
    """Start BentoML, which takes uploads for a batched method as forms with a list of files."""
    serve = "-m bentoml serve serve:Digits --host 127.0.0.1 --port {port}"
    return Server(
        name="bentoml",
        label=f"BentoML {pinned_version('bentoml', 'bentoml')} + TensorFlow",
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
    """Start MLServer, which takes the pixels as a tensor and needs three ports."""
    return Server(
        name="mlserver",
        label=f"MLServer {pinned_version('mlserver', 'mlserver')} + TensorFlow",
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
    """Start Ray Serve on a local Ray cluster of its own, with HAProxy and for throughput."""
    return Server(
        name="ray",
        label=f"Ray Serve {pinned_version('ray', 'ray')} + TensorFlow",
        routes={"raw": raw_route()},
        command=(str(prepare("ray") / "python"), "serve.py"),
        folder=PEERS / "ray",
        environment={
            **_peer_environment(saved_model),
            "RAY_USAGE_STATS_ENABLED": "0",
            "RAY_SERVE_ENABLE_HA_PROXY": "1",
            "RAY_SERVE_THROUGHPUT_OPTIMIZED": "1",
        },
    )


def with_openvino(build: Callable[[Path], Server]) -> Callable[[Path], Server]:
    """Return a function that makes a peer with the engine of this service instead of TensorFlow."""

    def build_with_openvino(saved_model: Path) -> Server:
        server = build(saved_model)
        return replace(
            server,
            name=f"{server.name}{OPENVINO}",
            label=f"{server.label.removesuffix(' + TensorFlow')} + OpenVINO",
            environment={**server.environment, "ENGINE": "openvino"},
        )

    return build_with_openvino


OPENVINO = "_with_openvino"
"""The end of the name of a peer with the engine of this service."""
WITH_TENSORFLOW: Mapping[str, Callable[[Path], Server]] = {
    "fastapi_tensorflow": fastapi_tensorflow,
    "litserve": litserve,
    "bentoml": bentoml,
    "mlserver": mlserver,
    "ray": ray_serve,
}
"""The function that makes each peer that runs the model in TensorFlow."""
EQUAL_ENGINES = ("fastapi_openvino", *(f"{name}{OPENVINO}" for name in WITH_TENSORFLOW))
"""The peers that run the model in the engine of this service."""
PEER_SERVERS: Mapping[str, Callable[[Path], Server]] = {
    "fastapi_openvino": fastapi_openvino,
    **{f"{name}{OPENVINO}": with_openvino(build) for name, build in WITH_TENSORFLOW.items()},
    **WITH_TENSORFLOW,
}
"""The function that makes each peer from the folder of a SavedModel. It may raise PeerUnavailableError."""


def _peer_environment(saved_model: Path) -> dict[str, str]:
    return {
        "MODEL_DIR": str(saved_model.absolute()),
        "ENGINE": "tensorflow",
        "PORT": "{port}",
        "WORKERS": str(WORKERS),
        "PYTHONPATH": str(PEERS),
        "HOME": str(CACHE / "home"),  # some servers store files there
        # Two workers use both of two cores. More threads would only compete for the cores.
        "TF_NUM_INTRAOP_THREADS": "1",
        "TF_NUM_INTEROP_THREADS": "1",
        "TF_CPP_MIN_LOG_LEVEL": "3",
    }


def _read_tensors(content: dict[str, Any]) -> Answer:
    outputs = {output["name"]: output["data"] for output in content["outputs"]}
    return Answer(outputs["digit"][0], np.asarray(outputs["probabilities"]))
