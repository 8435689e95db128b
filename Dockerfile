# Three images from one file: `serve`, the default, without TensorFlow or a compiler, `ray` for a Ray cluster, and `train`.
FROM docker.io/library/python:3.11-slim-bookworm AS base
ENV PYTHONUNBUFFERED=1 PATH=/opt/venv/bin:$PATH
WORKDIR /srv/digitserve

FROM base AS serve-packages
COPY requirements/image.txt .
RUN python3 -m venv /opt/venv \
 && pip install --no-cache-dir --disable-pip-version-check --require-hashes -r image.txt \
 # Of OpenVINO, only the CPU plugin (of Intel or of Arm) and the reader of SavedModels are used; of AWS, S3 and the sign-in;
 # and no tests. pip is not used at all.
 && find /opt/venv \( -name 'libopenvino_*' -o -path '*/openvino/libs/cache.json' \) \
      ! -name 'libopenvino_*_cpu_plugin.so' ! -name '*tensorflow_frontend*' ! -name 'libopenvino_c.so*' -delete \
 && find /opt/venv -path '*/botocore/data/*' -prune -type d ! -name s3 ! -name sts ! -name 'sso*' ! -name signin -exec rm -r {} + \
 && find /opt/venv -type d \( -name tests -o -path '*/openvino/include' \) -prune -exec rm -r {} + \
 && pip uninstall --quiet --yes pip setuptools

FROM base AS train-packages
COPY requirements/train.txt .
RUN python3 -m venv /opt/venv \
 && pip install --no-cache-dir --disable-pip-version-check --require-hashes -r train.txt

FROM base AS train
COPY --from=train-packages /opt/venv /opt/venv
COPY imaging imaging
COPY training training
# Where MNIST is kept; a volume mounted here is whoever's that trains.
ENV XDG_CACHE_HOME=/cache MPLCONFIGDIR=/tmp
RUN mkdir -p /cache/digitserve/mnist && chmod 1777 /cache/digitserve/mnist
# It begins as root to step down to the owner of the mounted models/, who is then the owner of what it publishes.
ENTRYPOINT ["sh", "-c", "exec setpriv --reuid=$(stat -c %u models) --regid=$(stat -c %g models) --clear-groups python3 -m training train \"$@\"", "train"]

FROM base AS ray-packages
COPY requirements/ray.txt .
RUN python3 -m venv /opt/venv \
 && pip install --no-cache-dir --disable-pip-version-check --require-hashes -r ray.txt \
 && find /opt/venv -name 'libopenvino_*' \
      ! -name 'libopenvino_*_cpu_plugin.so' ! -name '*tensorflow_frontend*' ! -name 'libopenvino_c.so*' -delete

FROM base AS ray
RUN useradd --system --uid 10001 --no-create-home digitserve \
 # KubeRay starts Ray from a login shell, which has a PATH of its own.
 && ln -s /opt/venv/bin/ray /opt/venv/bin/serve /usr/local/bin
COPY --from=ray-packages /opt/venv /opt/venv
COPY imaging imaging
COPY app app
COPY deploy/ray deploy/ray
COPY models models
USER digitserve
# Processes of Ray import the application from here, wherever they are started.
ENV PYTHONPATH=/srv/digitserve HOME=/tmp RAY_USAGE_STATS_ENABLED=0 \
    RAY_SERVE_ENABLE_HA_PROXY=1 RAY_SERVE_THROUGHPUT_OPTIMIZED=1

FROM base AS serve
LABEL org.opencontainers.image.title="Digitserve" \
      org.opencontainers.image.description="Classifies handwritten digits in pictures, over HTTP and gRPC; with models" \
      org.opencontainers.image.licenses="MIT"
RUN useradd --system --uid 10001 --no-create-home digitserve \
 # A volume that is mounted here takes its owner from it.
 && install --directory --owner=digitserve /feedback
COPY --from=serve-packages /opt/venv /opt/venv
COPY imaging imaging
COPY app app
COPY models models
USER digitserve
ENV HOST=0.0.0.0 PORT=8000
# The second one is for GRPC_PORT=8001.
EXPOSE 8000 8001
HEALTHCHECK --interval=10s --timeout=3s --start-period=20s CMD ["python3", "-m", "app.healthcheck"]
ENTRYPOINT ["python3", "-m", "app"]
