"""The command line of offline scoring."""

import argparse
import os
import shlex
import sys
import time
from collections.abc import Container, Generator, Sequence
from contextlib import closing
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from app.errors import ServiceError
from app.model_repository.mirror import models_on_disk
from app.score.chunks import Scored, Source, divide
from app.score.errors import ScoringError
from app.score.job import Job, choose_versions
from app.score.output import Output, Summary
from app.score.processes import score_in_processes
from app.score.progress import progress
from app.score.sources import no_pictures, open_source
from app.settings import Settings, describe_errors

_STOPPED = 130
"""The exit status after Ctrl-C, as shells have it."""

_SECRETS = dict.fromkeys(("predict_token", "admin_token", "feedback_key"))
"""No other process needs them, nor another machine."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Score as the arguments say; those of the command line by default. Returns the exit status."""
    options = _parse(arguments)
    started = time.monotonic()
    try:
        job, identity = _job(options)
        summary = _run(job, identity, options)
    except (ScoringError, ServiceError, OSError) as error:
        sys.stderr.write(f"Error: {error}\n")
        return 2
    except KeyboardInterrupt:
        sys.stderr.write(f"Stopped. To go on, repeat the command: {shlex.join(sys.orig_argv)}\n")
        return _STOPPED
    if summary is None:
        sys.stdout.write(f"{job.out} is complete already.\n")
    else:
        seconds = time.monotonic() - started
        counts = f"{summary.rows:,} rows, {summary.errors:,} of them errors"
        sys.stdout.write(f"{job.out}: {counts}, in {seconds:,.0f} seconds.\n")
    return 0


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m app.score",
        description="Score every picture of SOURCE as the service does, and write a Parquet table with one row each. "
        "If a run is killed, the same command goes on with it.",
    )
    parser.add_argument(
        "source", metavar="SOURCE", help="a folder, a pattern in quotes, a tar file, a Parquet file, or a URL of these"
    )
    parser.add_argument(
        "--out", required=True, metavar="FILE", help="the table to write, such as results.parquet; a path or a URL"
    )
    parser.add_argument("--model", help="default: DEFAULT_MODEL, convnet")
    parser.add_argument(
        "--version", type=int, metavar="N", help="of the model; default: the one that the service takes"
    )
    parser.add_argument("--models-dir", metavar="FOLDER", help="a folder or a URL; default: MODELS_DIR, models")
    parser.add_argument("--read", action="store_true", help="read all digits of each picture, as /read does")
    parser.add_argument(
        "--column", metavar="NAME", help="of a Parquet file, with the pictures; default: image or bytes"
    )
    parser.add_argument(
        "--processes",
        type=int,
        metavar="N",
        help="default: WORKERS, the number of cores; with --ray: the CPUs of the cluster",
    )
    parser.add_argument(
        "--ray",
        metavar="ADDRESS",
        help="score on this Ray cluster: 'auto' on a machine of the cluster, host:port, or 'local' to start one here",
    )
    options = parser.parse_args(arguments)
    if options.processes is not None and options.processes < 1:
        parser.error(f"--processes is {options.processes}: expected 1 or more")
    if options.ray is not None and find_spec("ray") is None:
        parser.error("--ray needs more packages: pip install '.[ray]'")
    return options


def _job(options: argparse.Namespace) -> tuple[Job, dict[str, Any]]:
    """Return the job, and everything that its rows depend on besides the pictures."""
    try:
        settings = Settings(**({"models_dir": options.models_dir} if options.models_dir else {}))
    except ValidationError as error:
        raise ScoringError(describe_errors(error)) from error
    model = options.model or settings.default_model
    models = settings.models_dir.absolute() if isinstance(settings.models_dir, Path) else settings.models_dir
    pinned = {**settings.model_versions, **({model: options.version} if options.version else {})}
    settings = settings.model_copy(update={"models_dir": models, "model_versions": pinned, **_SECRETS})
    with models_on_disk(settings) as on_disk:
        versions = choose_versions(on_disk, model, options.version)
        job = Job(
            source=_absolute(options.source),
            out=_absolute(options.out),
            settings=on_disk,
            model=model,
            version=versions[model],
            versions=versions,
            read=options.read,
            column=options.column,
        )
        return replace(job, settings=settings), job.identity


def _absolute(address: str) -> str:
    """Return an absolute path; a URL as it is."""
    return address if "://" in address else os.path.abspath(address)  # noqa: PTH100 - a pattern may be no valid Path


def _run(job: Job, identity: dict[str, Any], options: argparse.Namespace) -> Summary | None:
    """Score what has not been scored yet; return what is in the table, or None if it was complete."""
    source = open_source(job)
    identity |= {"pictures": source.fingerprint}
    output = Output(job.out)
    done = output.begin(identity)
    if done is None:
        return None
    count = 0
    with progress(source.count) as update, closing(_score(job, source, done, options)) as scored:
        for chunk in scored:
            count = max(count, chunk.number + 1)
            update(chunk.pictures, earlier=chunk.is_earlier)
    if not count:
        output.discard()
        raise no_pictures(job)
    return output.join(count, identity)


def _score(job: Job, source: Source, done: Container[int], options: argparse.Namespace) -> Generator[Scored]:
    if options.ray is None:
        return score_in_processes(job, divide(source, done), options.processes or job.settings.workers)
    from app.score.ray_data import score_on_ray  # noqa: PLC0415 - its package is optional

    return score_on_ray(job, done, options.ray, options.processes)
