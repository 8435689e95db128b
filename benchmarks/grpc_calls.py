"""Compare calls with one image over gRPC with a server that does nothing: `python -m benchmarks.grpc_calls`.

Both are grpc.aio servers on uvloop with one worker, and are measured in turn. A client in Python takes as much time as
the server, and would limit the rate of a server that does nothing. So calls are counted for each second of the server's
processor time.
"""

import asyncio
import json
import socket
import statistics
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Annotated

import grpc
import numpy as np
import typer

from app.grpc.stubs.inference_pb2 import ModelInferRequest, ModelInferResponse
from benchmarks import payloads, processes
from benchmarks.environments import CACHE, PEERS, ROOT, prepare
from benchmarks.processes import Program, unwind_when_terminated

_METHOD = "/inference.GRPCInferenceService/ModelInfer"
_START_SECONDS = 180


def main(
    *,
    models: Annotated[Path, typer.Option(help="Folder that holds <name>/<version>/.")] = ROOT / "models",
    model: Annotated[str, typer.Option(help="Which of the models.")] = "convnet",
    rounds: Annotated[int, typer.Option(min=1, help="How often each figure is measured, in turn.")] = 5,
    seconds: Annotated[float, typer.Option(min=0.1, help="How long each figure is measured.")] = 4,
    calls: Annotated[int, typer.Option(min=1, help="At a time, over one connection.")] = 16,
) -> None:
    """Measure both servers, and print one line of JSON."""
    unwind_when_terminated()
    python = str(prepare("digitserve-grpc", ROOT / "requirements" / "image.txt") / "python")
    request = _request(model, payloads.decode_plainly(payloads.digit_png()))
    ours, nothing = (python, "-m", "app"), (python, "serve.py")
    with _server(ours, models, request) as served_by, _server(nothing, models, request) as nothing_by:
        measured = [
            [asyncio.run(rate(*server, request, seconds, calls)) for server in (served_by, nothing_by)]
            for _ in range(rounds + 1)
        ]
    served, bare = zip(*measured[1:], strict=True)  # the first round is for warm-up
    ratios = [one / other for one, other in zip(served, bare, strict=True)]
    print(
        json.dumps(
            {
                "calls_per_processor_second": round(statistics.median(served)),
                "do_nothing": round(statistics.median(bare)),
                "ratio": round(statistics.median(ratios), 3),
                "ratios": [round(ratio, 3) for ratio in ratios],
            }
        )
    )


def _request(model: str, image: np.ndarray) -> ModelInferRequest:
    tensor = ModelInferRequest.InferInputTensor(name="images", datatype="UINT8", shape=[1, *image.shape])
    return ModelInferRequest(model_name=model, inputs=[tensor], raw_input_contents=[image.tobytes()])


@contextmanager
def _server(command: tuple[str, ...], models: Path, request: ModelInferRequest) -> Iterator[tuple[Program, int]]:
    """Start a server, and yield it and its port for gRPC when it answers."""
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(2)]
        http_port, port = (each.getsockname()[1] for each in sockets)
    environment = {
        "PORT": str(http_port),
        "GRPC_PORT": str(port),
        "WORKERS": "1",
        "ACCESS_LOG": "false",
        "MODELS_DIR": str(models.absolute()),
        "PYTHONPATH": str(ROOT),
    }
    folder = PEERS / "do_nothing_grpc" if "serve.py" in command else ROOT
    log = CACHE / "logs" / f"{'do-nothing' if 'serve.py' in command else 'digitserve'}-grpc.log"
    with processes.running(command, folder=folder, environment=environment, log=log) as program:
        _await_answer(program, port, request)
        yield program, port


def _await_answer(program: Program, port: int, request: ModelInferRequest) -> None:
    end = time.monotonic() + _START_SECONDS
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        while True:
            try:
                channel.unary_unary(_METHOD)(request.SerializeToString(), wait_for_ready=True, timeout=10)
            except grpc.RpcError as error:
                if time.monotonic() > end or program.has_ended():
                    message = f"A server does not start: {error.details()} {program.log_tail()}"
                    raise RuntimeError(message) from error
                time.sleep(0.2)
            else:
                return


async def rate(program: Program, port: int, request: ModelInferRequest, seconds: float, calls: int) -> float:
    """Return the calls that a server answers in a second of its processor time."""
    answered = 0
    began = program.processor_seconds()
    end = time.perf_counter() + seconds
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        call = channel.unary_unary(_METHOD, ModelInferRequest.SerializeToString, ModelInferResponse.FromString)

        async def repeat() -> None:
            nonlocal answered
            while time.perf_counter() < end:
                response = await call(request)
                assert len(response.raw_output_contents) == 2  # noqa: S101 - a wrong answer makes the figure worthless
                answered += 1

        await asyncio.gather(*(repeat() for _ in range(calls)))
    return answered / (program.processor_seconds() - began)


if __name__ == "__main__":
    typer.run(main)
