# Two images: the hooks, and a simulated CloudStack to try them on.
#
#   docker build -t cloudstack-metacontroller:dev .        or: make image
#   docker build --target simulator -t cloudstack-simulator:dev .
#                                   or: make image TARGET=simulator IMAGE=cloudstack-simulator:dev
#
# A tag may move; `make pin-base` adds the digest that it has. BASE may name a mirror too:
# --build-arg BASE=registry.example.com/python@sha256:…
ARG BASE=docker.io/library/python:3.13.9-slim-bookworm

FROM ${BASE} AS build
WORKDIR /build
COPY requirements.lock ./
# Every file must have a hash of the list.
RUN python -m venv /opt/venv \
 && /opt/venv/bin/pip install --no-cache-dir --disable-pip-version-check \
      --require-hashes --requirement requirements.lock \
 && /opt/venv/bin/pip uninstall --yes pip
COPY gunicorn.conf.py /app/
COPY hooks /app/hooks
COPY metacontroller /app/metacontroller
# The status page shows it.
COPY docs/guides/troubleshooting.md /app/docs/guides/
# The root may be read-only at run time, so compile now.
RUN python -m compileall -q /app

FROM ${BASE} AS build-simulator
COPY simulator /app/simulator
RUN python -m compileall -q /app

FROM ${BASE} AS base
ENV PATH=/opt/venv/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1
COPY --from=build /opt/venv /opt/venv
WORKDIR /app
# A number: Kubernetes must see that it is not root (runAsNonRoot).
USER 65532:65532

FROM base AS simulator
LABEL org.opencontainers.image.title="cloudstack-simulator" \
      org.opencontainers.image.description="A simulated CloudStack, for tests and demonstrations" \
      org.opencontainers.image.licenses="Apache-2.0"
COPY --from=build-simulator /app /app
EXPOSE 8090
CMD ["python", "-m", "simulator"]

# The last one is what a build without a target makes.
FROM base AS hooks
LABEL org.opencontainers.image.title="cloudstack-metacontroller" \
      org.opencontainers.image.description="CloudStack cloud controller and target cluster operator, as Metacontroller hooks" \
      org.opencontainers.image.licenses="Apache-2.0"
COPY --from=build /app /app
EXPOSE 8080 8383
CMD ["gunicorn"]
