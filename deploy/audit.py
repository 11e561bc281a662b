"""Asks pip-audit whether a vulnerability is known of what the lock file pins; `make check` runs it.

Fails only for what is known. Where the service that knows can't be reached, it says so and passes. What was answered
counts for a day, as long as the lock file stays the same.
"""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from deploy.local.engine import REPOSITORY

LOCK = REPOSITORY / "requirements.lock"
CACHE = REPOSITORY / ".cache" / "audit"
DAY = 86_400
LIMIT = 120
"""Seconds that asking may take."""


def main() -> int:
    """Ask, tell, and return the exit code: 1 when a vulnerability is known."""
    stamp = CACHE / hashlib.sha256(LOCK.read_bytes()).hexdigest()
    if stamp.exists() and time.time() - stamp.stat().st_mtime < DAY:
        print(f"audit: {stamp.read_text()} (asked today)")
        return 0
    report = _asked()
    if report is None:
        print("audit: NOT asked about vulnerabilities: the service that knows them can't be reached from here")
        return 0
    known = [(part, hole) for part in report for hole in part.get("vulns", ())]
    for part, hole in known:
        print(
            f"audit: {part['name']} {part['version']}: {hole['id']}, mended in {hole['fix_versions'] or 'no version'}"
        )
    if not known:
        CACHE.mkdir(parents=True, exist_ok=True)
        stamp.write_text(_verdict(report))
        print(f"audit: {stamp.read_text()}")
    return 1 if known else 0


def _asked() -> list[dict[str, Any]] | None:
    """What pip-audit reports of each package, or None when it came to no report."""
    command: list[str | Path] = [
        *(Path(sys.executable).parent / "pip-audit", "--requirement", LOCK, "--require-hashes", "--disable-pip"),
        *("--format", "json", "--progress-spinner", "off", "--timeout", "5"),
    ]
    try:
        told = subprocess.run(command, capture_output=True, text=True, timeout=LIMIT, check=False)
        return list(json.loads(told.stdout)["dependencies"])
    except (subprocess.TimeoutExpired, ValueError):
        return None


def _verdict(report: list[dict[str, Any]]) -> str:
    unknown = sum("skip_reason" in part for part in report)
    told = f"no vulnerability is known of {len(report) - unknown} locked packages" if unknown < len(report) else ""
    left = f"NOT asked about {unknown} locked packages, which the service here does not know" if unknown else ""
    return "; ".join(filter(None, (told, left)))


if __name__ == "__main__":
    sys.exit(main())
