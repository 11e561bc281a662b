"""Parameters that several routes take, and the process they work on."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Header, Path, Request

from service.logic.jobs import DEFAULT_PROJECT
from service.process import Process


def _process(request: Request) -> Process:
    process: Process = request.app.state.process
    return process


def _project() -> str:
    return DEFAULT_PROJECT


OnProcess = Annotated[Process, Depends(_process)]
OfProject = Annotated[str, Depends(_project)]
JobId = Annotated[str, Path(description="id of a job", min_length=1, max_length=64, pattern=r"^[0-9A-Za-z]+$")]
IdempotencyKey = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        min_length=1,
        max_length=256,
        description="any text of yours; the same key with the same request answers with the same job for a day",
    ),
]
