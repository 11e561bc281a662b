# The API service. Not root; needs Redis and the object store, no Docker.
# A Debian with Python 3.11 or newer, to build with and to run on.
ARG BASE=python:3.11-slim-bookworm
FROM ${BASE} AS packages
WORKDIR /app
COPY requirements.lock .
RUN python -m venv /venv && /venv/bin/pip install --no-cache-dir --require-hashes -r requirements.lock

FROM ${BASE}
RUN useradd --uid 10001 --create-home shipway \
 && install -d -o shipway -g shipway /var/lib/shipway /var/lib/shipway/store
COPY --from=packages /venv /venv
WORKDIR /app
COPY shipway shipway
COPY service service
USER shipway
ENV PATH=/venv/bin:$PATH PYTHONUNBUFFERED=1
EXPOSE 8470
HEALTHCHECK CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8470/healthz', timeout=3)"]
CMD ["uvicorn", "--factory", "service.main:create_app", "--host", "0.0.0.0", "--port", "8470", \
     "--timeout-graceful-shutdown", "10", "--no-server-header", "--http", "service.patience:Patient"]
