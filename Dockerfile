# One container with everything: receiver, pages, workers, a Redis server and the embedded forge.
#
#   docker build -t tea-runner .
#   docker run --rm -p 1706:1706 -v tea-runner:/var/lib/tea-runner \
#     --security-opt seccomp=unconfined --security-opt systempaths=unconfined tea-runner
#
# The two security options are for bubblewrap, the sandbox of each command: it makes namespaces and
# mounts a /proc of its own, which the default profile of docker and podman does not let it.
# Where AppArmor is at work, add --security-opt apparmor=unconfined.
#
# Behind a proxy with certificates of its own:
#   podman build -v /etc/ssl/certs:/etc/ssl/certs:ro -t tea-runner .
#   docker build --build-arg BASE=a-debian-that-trusts-them -t tea-runner .
#
# Python packages are those of deploy/requirements*.lock, each with its hashes.  For a base image that
# is the same tomorrow, name it by its digest:
#   docker build --build-arg BASE=debian@sha256:… -t tea-runner .
# /opt/tea-runner/sbom.json lists all Python packages of the image (CycloneDX).

ARG BASE=debian:bookworm-slim

FROM ${BASE} AS build
RUN apt-get update \
    && apt-get install -y --no-install-recommends ca-certificates python3 python3-venv \
    && rm -rf /var/lib/apt/lists/*
# For those with an index of their own; it does not stay in the image.
ARG PIP_INDEX_URL
# OpenCV and numpy, for the example; --build-arg EXTRA= leaves them out.
ARG EXTRA=demo
WORKDIR /src
RUN python3 -m venv /opt/tea-runner
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
# Dependencies in a layer of their own: they change less often than the source.
COPY deploy/*.lock deploy/
RUN /opt/tea-runner/bin/pip install -q --require-hashes -r "deploy/requirements${EXTRA:+-$EXTRA}.lock" \
    && python3 -m venv /opt/sbom \
    && /opt/sbom/bin/pip install -q --require-hashes -r deploy/requirements-sbom.lock
COPY . .
RUN /opt/tea-runner/bin/pip install -q --no-deps --no-build-isolation . \
    && /opt/sbom/bin/cyclonedx-py environment --output-reproducible --output-file /opt/tea-runner/sbom.json \
       /opt/tea-runner/bin/python

FROM ${BASE}
# netbase: git-annex asks /etc/protocols before it connects to S3.
RUN apt-get update \
    && apt-get install -y --no-install-recommends \
       bubblewrap ca-certificates git netbase nftables openssh-client python3 redis-server slirp4netns tini \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --uid 1000 --home-dir /var/lib/tea-runner --create-home --shell /bin/sh tea
COPY --from=build /opt/tea-runner /opt/tea-runner
ENV PATH=/opt/tea-runner/bin:/usr/local/bin:/usr/bin:/bin \
    HOME=/var/lib/tea-runner \
    LANG=C.UTF-8 \
    PYTHONUNBUFFERED=1 \
    TEA_RUNNER_STATE=/var/lib/tea-runner \
    TEA_RUNNER_WEB__HOST=0.0.0.0 \
    TEA_RUNNER_SANDBOX__PATH=/opt/tea-runner/bin:/usr/local/bin:/usr/bin:/bin \
    TEA_RUNNER_SANDBOX__BINDS=/opt/tea-runner
USER tea
WORKDIR /var/lib/tea-runner
VOLUME /var/lib/tea-runner
EXPOSE 1706 3000
HEALTHCHECK --interval=30s --timeout=5s --start-period=30s CMD ["python3", "-c", \
    "import urllib.request as u; u.urlopen('http://127.0.0.1:1706/healthz', timeout=4)"]
ENTRYPOINT ["tini", "--"]
CMD ["tea-runner", "up"]
