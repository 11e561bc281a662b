# A worker. Bound to one Docker daemon through its socket, which makes it root on that machine in all but name.
# A Debian with Python 3.11 or newer, to build with and to run on.
ARG BASE=python:3.11-slim-bookworm
FROM ${BASE} AS packages
WORKDIR /app
COPY requirements.lock .
RUN python -m venv /venv && /venv/bin/pip install --no-cache-dir --require-hashes -r requirements.lock

FROM ${BASE}
# Contexts in git repositories, over https and ssh.
RUN command -v git && command -v ssh \
 || (apt-get update && apt-get install --yes --no-install-recommends git openssh-client && rm -rf /var/lib/apt/lists/*)
COPY --from=packages /venv /venv
WORKDIR /app
COPY shipway shipway
COPY workers workers
ENV PATH=/venv/bin:$PATH PYTHONUNBUFFERED=1
EXPOSE 8471
HEALTHCHECK CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8471/healthz', timeout=3)"]
CMD ["python", "-m", "workers"]
