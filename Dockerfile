# The hooks and the simulator of CloudStack: one image, two commands.
#
#   docker build -t cloudstack-metacontroller:dev .        or: make image
#   docker run … cloudstack-metacontroller:dev                      gunicorn with the hooks
#   docker run … cloudstack-metacontroller:dev python -m simulator  a CloudStack to try them on
#
# BASE may name a mirror or a digest: --build-arg BASE=registry.example.com/python@sha256:…
ARG BASE=docker.io/library/python:3.13.9-slim-bookworm

FROM ${BASE} AS build
WORKDIR /build
COPY requirements.txt constraints.txt ./
RUN python -m venv /opt/venv \
 && /opt/venv/bin/pip install --no-cache-dir --disable-pip-version-check \
      --requirement requirements.txt --constraint constraints.txt \
 && /opt/venv/bin/pip uninstall --yes pip
COPY gunicorn.conf.py /app/
COPY hooks /app/hooks
COPY metacontroller /app/metacontroller
COPY simulator /app/simulator
# The root may be read-only at run time, so compile now.
RUN python -m compileall -q /app

FROM ${BASE}
LABEL org.opencontainers.image.title="cloudstack-metacontroller" \
      org.opencontainers.image.description="CloudStack cloud controller and target cluster operator, as Metacontroller hooks" \
      org.opencontainers.image.licenses="Apache-2.0"
ENV PATH=/opt/venv/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1
COPY --from=build /opt/venv /opt/venv
COPY --from=build /app /app
WORKDIR /app
# A number: Kubernetes must see that it is not root (runAsNonRoot).
USER 65532:65532
EXPOSE 8080 8383
CMD ["gunicorn"]
