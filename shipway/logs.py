"""How the service and the workers log: lines for people on standard output."""

from __future__ import annotations

import structlog


def configure() -> None:
    """Have tracebacks show code alone.

    Left to itself structlog prints the variables of every frame, among them tokens, logins and secrets.
    """
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="%Y-%m-%d %H:%M:%S", utc=False),
            structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback),
        ],
    )
