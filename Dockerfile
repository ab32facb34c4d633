# bakthat in a container, configured by its environment: see docs/containers.md.
#   docker build -t bakthat .

FROM python:3.13-slim AS build
WORKDIR /src
COPY . .
RUN pip wheel --no-cache-dir --constraint constraints.txt --wheel-dir /wheels ".[postgres]"

FROM python:3.13-slim
RUN --mount=type=bind,from=build,source=/wheels,target=/wheels \
    pip install --no-cache-dir --no-index /wheels/*.whl

# The database of backups and the locks of jobs, and the cache, which may be lost.
RUN groupadd --gid 10001 bakthat \
    && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /var/lib/bakthat --shell /usr/sbin/nologin bakthat \
    && install -d -m 0700 -o 10001 -g 10001 /var/lib/bakthat /var/cache/bakthat
ENV HOME=/var/lib/bakthat \
    XDG_CACHE_HOME=/var/cache \
    BAKTHAT_DATABASE=/var/lib/bakthat/bakthat.sqlite
VOLUME ["/var/lib/bakthat", "/var/cache/bakthat"]

# A number, so that Kubernetes can see that it is not root.
USER 10001:10001
WORKDIR /data

# No shell around it: bakthat itself gets SIGTERM, aborts its upload, and ends.
ENTRYPOINT ["bakthat"]
CMD ["--help"]
