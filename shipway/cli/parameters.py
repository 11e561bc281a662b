"""Options that several commands take."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from shipway.cli import arguments

if TYPE_CHECKING:
    from shipway.client.move_options import JobKeywords


class ProgressChoice(StrEnum):
    """How a job is shown."""

    AUTO = "auto"
    PLAIN = "plain"
    JSON = "json"


class CompressionChoice(StrEnum):
    """How an archive is packed."""

    NONE = "none"
    GZIP = "gzip"
    ZSTD = "zstd"


Json = Annotated[bool, typer.Option("--json", help="Print JSON, as the API gives it.")]
Progress = Annotated[ProgressChoice, typer.Option(help="How to show it.")]
Detach = Annotated[bool, typer.Option("--detach", "-d", help="Print the job's id and leave it to run.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Print nothing but the result.")]
Timeout = Annotated[str | None, typer.Option(metavar="DURATION", help="Limit for the job: 90, 90s, 15m or 2h.")]
Priority = Annotated[
    int | None, typer.Option(min=0, max=9, help="0 is served first, 9 last. [default: 5; 7 with --detach]")
]
Worker = Annotated[str | None, typer.Option(metavar="NAME", help="Worker to use. [default: any that fits]")]
Workers = Annotated[str, typer.Option(metavar="any|all|NAME,…", help="Workers to use.")]
Change = Annotated[
    list[str] | None, typer.Option("--change", "-c", metavar="LINE", help="Dockerfile line for the image.")
]
Platform = Annotated[str | None, typer.Option(metavar="OS/ARCH", help="Platform of the image.")]
Push = Annotated[bool, typer.Option("--push", help="Push every name to its registry.")]
Compression = Annotated[CompressionChoice, typer.Option(help="How to pack the archive.")]


BATCH = 7
"""Priority of a job that nobody waits for (`--detach`), if nothing else is said: what people wait for is 5."""


def limit(wanted: JobKeywords, timeout: str | None, priority: int | None, *, detach: bool = False) -> None:
    """Add what was said of a job's time and place in the queue.

    Raises:
        ArgumentError: the duration is none.
    """
    if timeout is not None:
        wanted["timeout"] = arguments.duration(timeout)
    if priority is not None or detach:
        wanted["priority"] = BATCH if priority is None else priority
