"""Text from elsewhere, made fit for a terminal; log chunks, made into lines."""

from __future__ import annotations

import re

MAX_LINE = 64 * 1024
"""Characters after which a line without an end is shown all the same."""
_COLOUR = re.compile(r"\x1b\[[0-9;:]*m")
_CONTROL = (
    r"\x1b\[[0-?]*[ -/]*[@-~]"  # CSI: colours, cursor movement, erasing
    r"|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)?"  # OSC: window titles, the clipboard, links
    r"|\x1b[PX^_][^\x1b]*(?:\x1b\\)?"  # DCS, SOS, PM, APC
    r"|\x1b[ -/]*[0-~]"  # other escapes: reset, character sets
    r"|[\x00-\x08\x0a-\x1f\x7f-\x9f]"  # control characters but the tab
    r"|[\u202a-\u202e\u2066-\u2069]"  # overrides of the writing direction: they show what isn't there
)
_RESET = "\x1b[0m"


def safe(line: str) -> str:
    """One line that can only colour itself: other control sequences are gone, colours end with the line."""
    if line.isprintable():  # as nearly all are
        return line
    kept = re.sub(_CONTROL, lambda match: match[0] if _COLOUR.fullmatch(match[0]) else "", line)
    return kept + _RESET if "\x1b" in kept and not kept.endswith(_RESET) else kept


def safe_lines(text: str) -> str:
    """`safe` for text of several lines."""
    return "\n".join(safe(line) for line in text.split("\n"))


def one_line(text: str) -> str:
    """A name on one line, without colours."""
    return _COLOUR.sub("", safe(" ".join(text.split())))


class LineBuffer:
    """Makes whole lines of chunks. Of a line that was overwritten by carriage returns, the last state counts."""

    def __init__(self) -> None:
        self._rest = ""

    def feed(self, text: str) -> list[str]:
        """Take a chunk; return the lines it completes."""
        *lines, self._rest = (self._rest + text).split("\n")
        if len(self._rest) > MAX_LINE:
            lines.append(self._rest)
            self._rest = ""
        return [_as_left_behind(line) for line in lines]

    def flush(self) -> list[str]:
        """Return the unfinished line, if there is one."""
        rest, self._rest = self._rest, ""
        return [_as_left_behind(rest)] if rest else []


def _as_left_behind(line: str) -> str:
    return line if line.isprintable() else safe(line.rstrip("\r").rpartition("\r")[2])


def seconds(value: float) -> str:
    """A duration: `0.4s`, `75.0s`, `12m30s`."""
    if value < 600:  # noqa: PLR2004  (ten minutes: below that, tenths still tell something)
        return f"{value:.1f}s"
    return f"{int(value // 60)}m{int(value % 60):02d}s"


def size(value: float) -> str:
    """Bytes in decimal units, as Docker shows them: `120B`, `1.53MB`."""
    for unit in ("B", "kB", "MB", "GB"):
        if value < 1000:  # noqa: PLR2004
            return f"{value:.0f}{unit}" if unit == "B" else f"{value:.3g}{unit}"
        value /= 1000
    return f"{value:.3g}TB"


def sent_text(what: str, sent: int, spared: int) -> str:
    """What an upload came to, to be put behind a job: `, context 1.53MB (198MB spared)`; nothing if there was none."""
    told = f" ({size(spared)} spared)" if spared else ""
    return f", {what} {size(sent)}{told}" if sent or spared else ""
