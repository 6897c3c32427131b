# One container with everything: receiver, pages, one worker, a Redis server, an embedded forge.
#
#   docker build -t tea-runner .
#   docker run --rm -p 1706:1706 -v tea-runner:/var/lib/tea-runner \
#     --security-opt seccomp=unconfined --security-opt systempaths=unconfined tea-runner
#
# The two security options are for bubblewrap: the sandbox of each command makes namespaces and mounts
# a /proc of its own, which the default profile of container engines does not let it.
# podman: --security-opt seccomp=unconfined --security-opt unmask=ALL
# Where AppArmor is at work, add --security-opt apparmor=unconfined.

FROM debian:bookworm-slim AS build
RUN apt-get update \
    && apt-get install -y --no-install-recommends ca-certificates python3 python3-venv \
    && rm -rf /var/lib/apt/lists/*
# For those behind a proxy or with an index of their own; nothing of them stays in the image.
ARG PIP_INDEX_URL
ARG PIP_CERT
# OpenCV and numpy, for the example; --build-arg EXTRA= leaves them out.
ARG EXTRA=demo
WORKDIR /src
RUN python3 -m venv /opt/tea-runner
# Dependencies in a layer of their own: they change less often than the source.
COPY pyproject.toml .
RUN python3 -c "import os, tomllib; \
p = tomllib.load(open('pyproject.toml', 'rb'))['project']; \
e = os.environ.get('EXTRA'); \
print(*p['dependencies'], *(p['optional-dependencies'][e] if e else ()), sep='\n')" >/tmp/needed \
    && /opt/tea-runner/bin/pip install --no-cache-dir --disable-pip-version-check -q -r /tmp/needed
COPY . .
RUN /opt/tea-runner/bin/pip install --no-cache-dir --disable-pip-version-check -q --no-deps .

FROM debian:bookworm-slim
RUN apt-get update \
    && apt-get install -y --no-install-recommends \
       bubblewrap ca-certificates git openssh-client python3 redis-server tini \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --uid 1000 --home-dir /var/lib/tea-runner --create-home --shell /bin/sh tea
COPY --from=build /opt/tea-runner /opt/tea-runner
ENV PATH=/opt/tea-runner/bin:/usr/local/bin:/usr/bin:/bin \
    HOME=/var/lib/tea-runner \
    LANG=C.UTF-8 \
    PYTHONUNBUFFERED=1
USER tea
WORKDIR /var/lib/tea-runner
VOLUME /var/lib/tea-runner
EXPOSE 1706
ENTRYPOINT ["tini", "--"]
CMD ["tea-runner", "up"]
