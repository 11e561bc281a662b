"""Plain lines, in the manner of BuildKit's plain progress: `#3 [2/4] RUN …`, `#3 0.52 text`, `#3 DONE 1.2s`."""

from __future__ import annotations

from typing import TYPE_CHECKING, TextIO

from shipway.cli.text import one_line, safe, seconds, sent_text, size
from shipway.cli.trace import LogLine, Trace, body_of, transfer_name
from shipway.models.states import JobState, StepStatus

if TYPE_CHECKING:
    from shipway.models.event import Event, Progress, StateChanged
    from shipway.models.job import Job


class PlainDisplay:
    """Writes lines for files, pipes and CI logs. Each line says which step it belongs to."""

    def __init__(self, out: TextIO, sending: str = "context") -> None:
        self.trace = Trace()
        self._out = out
        self._sending = sending
        self._current: int | None = None
        self._named: set[tuple[int, int]] = set()
        self._ended: dict[tuple[int, int], StepStatus] = {}
        self._moved: set[tuple[int | None, str]] = set()
        self._sent = 0
        self._spared = 0

    def uploading(self, sent: int, total: int | None) -> None:  # noqa: ARG002  (other displays need it)
        """Remember how much it was; the line comes with the job."""
        self._sent = sent

    def spared(self, size: int) -> None:
        """Remember how much it was; the line comes with the job."""
        self._spared = size

    def downloading(self, taken: int, total: int | None) -> None:
        """Show nothing: the command tells when it is done."""

    def accepted(self, job: Job) -> None:
        """Print the job's id: with it, `shipway logs` and `shipway cancel` work from anywhere."""
        sent = sent_text(self._sending, self._sent, self._spared)
        self.notice(f"job {job.id} {job.state}{sent}")

    def notice(self, text: str) -> None:
        """Print it."""
        self._line(None, text)

    def close(self) -> None:
        """Do nothing."""

    def event(self, event: Event) -> None:
        """Print what it says."""
        body = body_of(event)
        lines = self.trace.apply(event)
        if body.type == "step":
            self._name_step(body.step.number)
            self._log(lines)
            self._end_step(body.step.number)
            return
        self._log(lines)
        if body.type == "state":
            self._state(body, event.attempt)
        elif body.type == "progress":
            self._progress(body)
        elif body.type == "warning":
            self._line(body.step, f"WARN: {one_line(body.message)}")
        elif body.type == "pushed":
            self.notice(f"pushed {one_line(body.reference)} {body.digest}")
        elif body.type == "answered":
            self.notice(f"nothing has changed since job {one_line(body.job)}: this is its result")
        elif body.type == "joined":
            self.notice(f"job {one_line(body.job)} builds the same just now: waiting for its result")

    def _state(self, body: StateChanged, attempt: int) -> None:
        if body.state == JobState.RUNNING:
            again = f", attempt {attempt}" if attempt > 1 else ""
            self.notice(f"running on {one_line(body.worker or 'a worker')}{again}")
        elif body.state == JobState.QUEUED and attempt > 0:
            why = f": {one_line(body.error.message)}" if body.error else ""
            self.notice(f"back in the queue{why}")

    def _name_step(self, number: int) -> None:
        key = (self.trace.attempt, number)
        if key not in self._named:
            self._named.add(key)
            self._line(number, one_line(self.trace.steps[number].step.name))

    def _end_step(self, number: int) -> None:
        trace = self.trace.steps[number]
        status = trace.step.status
        key = (self.trace.attempt, number)
        if self._ended.get(key) == status:
            return  # the builder repeats itself
        self._ended[key] = status
        if status == StepStatus.FAILED:
            self._line(number, f"ERROR: {one_line(trace.step.error or 'failed')}")
        elif status == StepStatus.CACHED:
            self._line(number, "CACHED")
        elif status == StepStatus.CANCELLED:
            self._line(number, "CANCELED")
        elif status == StepStatus.EXECUTED:
            self._line(number, f"DONE {seconds(trace.duration or 0.0)}")

    def _log(self, lines: list[LogLine]) -> None:
        """Print lines, which are safe by now, all at once: a loud step writes thousands of them in a second."""
        if not lines:
            return
        step, offset, _ = lines[0]  # one event completes lines of one step, at one time
        prefix = f"#{step} {offset:.3f} " if step is not None else ""
        self._part(step)
        self._out.write("".join([f"{prefix}{line.text}\n" for line in lines]))
        self._out.flush()

    def _progress(self, body: Progress) -> None:
        """Tell a transfer once, when it is done: a file is no place for a moving bar."""
        if not body.total or body.current < body.total or (body.step, body.id) in self._moved:
            return
        self._moved.add((body.step, body.id))
        self._line(body.step, f"{transfer_name(body)} {size(body.total)} done")

    def _part(self, step: int | None) -> None:
        """Begin the output of a step with an empty line, unless it goes on."""
        if step != self._current and step is not None:
            print(file=self._out)
        self._current = step

    def _line(self, step: int | None, text: str) -> None:
        self._part(step)
        prefix = f"#{step} " if step is not None else ""
        print(f"{prefix}{safe(text)}", file=self._out, flush=True)
