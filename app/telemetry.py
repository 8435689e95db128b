"""What the service counts. Knows no routes and no models: others tell it what happened.

With several workers each keeps its counts in files of one folder, and whichever is asked adds them up.
"""

import os

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.exposition import choose_encoder
from prometheus_client.multiprocess import MultiProcessCollector

_MULTIPROCESS_FOLDER = "PROMETHEUS_MULTIPROC_DIR"  # the library's own name, set by `__main__` before it is imported

_SECONDS = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
_IMAGES = (1, 2, 4, 8, 16, 32, 64)


class Telemetry:
    """The metrics of one application. Labels come from closed sets only, so that no client can make new series."""

    def __init__(self) -> None:
        registry = CollectorRegistry()
        self._registry = registry
        self._requests = Counter(
            "digitserve_http_requests", "Requests answered.", ("method", "route", "status"), registry=registry
        )
        self._errors = Counter(
            "digitserve_errors",
            "Requests, and pictures of a batch, refused, by reason.",
            ("reason",),
            registry=registry,
        )
        self._predictions = Counter(
            "digitserve_predictions", "Digits read.", ("model", "version", "digit"), registry=registry
        )
        self._abstentions = Counter(
            "digitserve_abstentions", "Answers not to be trusted.", ("model", "version", "reason"), registry=registry
        )
        self._batches = Histogram(
            "digitserve_batch_images", "Images in one run of an engine.", buckets=_IMAGES, registry=registry
        )
        self._accuracy = Gauge(
            "digitserve_test_accuracy_ratio",
            "Accuracy on the 10,000 MNIST test images, from the model card.",
            ("model", "version"),
            registry=registry,
            multiprocess_mode="mostrecent",
        )
        stages = Histogram(
            "digitserve_stage_seconds",
            "Time by stage: a request, the reading of a picture, its wait for a batch, the run of a batch.",
            ("stage",),
            buckets=_SECONDS,
            registry=registry,
        )
        self._total, self._read, self._queue, self._inference = (
            stages.labels(stage) for stage in ("total", "read", "queue", "inference")
        )

    def answered(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count one request."""
        self._requests.labels(method, route, status).inc()
        self._total.observe(seconds)

    def refused(self, reason: str) -> None:
        """Count one request, or one picture of a batch, that was refused."""
        self._errors.labels(reason).inc()

    def read(self, seconds: float) -> None:
        """Count one picture made into an image."""
        self._read.observe(seconds)

    def queued(self, seconds: float) -> None:
        """Count one job's wait for its batch."""
        self._queue.observe(seconds)

    def inferred(self, images: int, seconds: float) -> None:
        """Count one batch."""
        self._batches.observe(images)
        self._inference.observe(seconds)

    def predicted(self, model: str, version: int, digit: int, reason: str | None) -> None:
        """Count one answer, and why it is not to be trusted if it is not."""
        self._predictions.labels(model, version, digit).inc()
        if reason is not None:
            self._abstentions.labels(model, version, reason).inc()

    def serves(self, model: str, version: int, accuracy: float) -> None:
        """Note the test accuracy of a version that is ready."""
        self._accuracy.labels(model, version).set(accuracy)

    def exposition(self, accept: str) -> tuple[bytes, str]:
        """Write all metrics out for Prometheus.

        Args:
            accept: the request's Accept header, which chooses between the text format and OpenMetrics.

        Returns:
            The body and its content type.

        """
        registry = self._registry
        if _MULTIPROCESS_FOLDER in os.environ:
            registry = CollectorRegistry()
            MultiProcessCollector(registry)  # type: ignore[no-untyped-call]  # the library has no types there
        encode, content_type = choose_encoder(accept)
        return encode(registry), content_type
