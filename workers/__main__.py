"""Start a worker: `python -m workers`."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile

from workers.settings import worker_settings


def main() -> None:
    """Prepare the folder in which the pool's processes add up their metrics, then become Celery."""
    settings = worker_settings()
    folder = os.path.join(tempfile.gettempdir(), f"shipway-metrics-{settings.worker_name}-{settings.worker_port}")  # noqa: PTH118
    shutil.rmtree(folder, ignore_errors=True)
    os.makedirs(folder, mode=0o700)  # noqa: PTH103
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = folder
    os.execv(  # noqa: S606
        sys.executable,
        [
            *(sys.executable, "-m", "celery", "--app", "workers.app", "worker"),
            *("--pool", "prefork", "--concurrency", str(settings.worker_concurrency)),
            *("--hostname", f"{settings.worker_name}@shipway", "--queues", ",".join(settings.queues)),
            *("--loglevel", "INFO", "--without-gossip", "--without-mingle", "--without-heartbeat"),
        ],
    )


main()
