# One image for every role; docker-compose.yml chooses by `command`. See docs/deploy.md.
FROM python:3.11-slim-bookworm AS build
WORKDIR /app
# First what changes rarely: a change of code alone installs nothing anew.
COPY requirements.lock ./
COPY deploy/build.sh deploy/
RUN deploy/build.sh packages /opt/venv
COPY . .
RUN deploy/build.sh code /opt/venv /data

FROM python:3.11-slim-bookworm
ENV PATH=/opt/venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    DATA_DIR=/data \
    RUNNER_SOCKET=/run/mlplatform/runner.sock
# An empty volume takes owner and rights from the folder it is mounted on.
RUN groupadd --gid 1000 mlplatform \
    && useradd --uid 1000 --gid 1000 --no-create-home --home-dir /data --shell /usr/sbin/nologin mlplatform \
    && install -d -m 0700 -o 1000 -g 1000 /data /data/storage /data/spool /run/mlplatform
COPY --from=build /opt/venv /opt/venv
COPY --from=build /app /app
COPY --from=build /data/static /data/static
WORKDIR /app
USER 1000:1000
EXPOSE 8000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=3 \
    CMD ["python", "-I", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:8000/livez', timeout=3)"]
CMD ["granian", "--interface", "wsgi", "--host", "0.0.0.0", "--port", "8000", "--no-ws", "--workers", "2", "--blocking-threads", "16", "--respawn-failed-workers", "--workers-kill-timeout", "20", "mlplatform.wsgi:application"]
