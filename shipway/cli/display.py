"""The ways to show a build while it runs: nothing, JSON, plain lines, or live on a terminal."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Protocol, TextIO

from shipway.cli.trace import Trace
from shipway.client.told import Told

if TYPE_CHECKING:
    from shipway.models.event import Event
    from shipway.models.job import Job


class Display(Protocol):
    """Shows a build. `trace` knows all that the events told so far."""

    trace: Trace

    def uploading(self, sent: int, total: int | None) -> None:
        """So many bytes of the context are sent, of so many if known."""

    def spared(self, size: int) -> None:
        """So many bytes of the context need not be sent."""

    def downloading(self, taken: int, total: int | None) -> None:
        """So many bytes of the result have arrived, of so many if known."""

    def accepted(self, job: Job) -> None:
        """The service took the job."""

    def event(self, event: Event) -> None:
        """Something happened to the job."""

    def notice(self, text: str) -> None:
        """Something the person should know now."""

    def close(self) -> None:
        """Nothing more will come: leave the terminal as it was."""


class SilentDisplay:
    """Shows notices only."""

    def __init__(self, out: TextIO) -> None:
        self.trace = Trace()
        self._out = out

    def uploading(self, sent: int, total: int | None) -> None:
        """Show nothing."""

    def spared(self, size: int) -> None:
        """Show nothing."""

    def downloading(self, taken: int, total: int | None) -> None:
        """Show nothing."""

    def accepted(self, job: Job) -> None:
        """Show nothing."""

    def event(self, event: Event) -> None:
        """Keep it for the report of a failure."""
        self.trace.apply(event)

    def notice(self, text: str) -> None:
        """Print it."""
        print(text, file=self._out, flush=True)

    def close(self) -> None:
        """Do nothing."""


class JsonDisplay(SilentDisplay):
    """Prints each event as one line of JSON, as the API gives it."""

    def event(self, event: Event) -> None:
        """Print it."""
        super().event(event)
        print(json.dumps(as_json(event), separators=(",", ":"), ensure_ascii=False), file=self._out, flush=True)


def as_json(event: Event) -> dict[str, Any]:
    """An event as the API gives it."""
    return event.fields if isinstance(event, Told) else event.model_dump(mode="json", exclude_none=True)
