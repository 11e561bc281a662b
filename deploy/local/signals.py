"""Ctrl-C and SIGTERM as an exception, so that `with` blocks stop what they started."""

from __future__ import annotations

import signal

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Stopped(BaseException):
    """SIGINT or SIGTERM came."""


def raise_on_signals() -> None:
    """Turn the first SIGINT or SIGTERM into Stopped in the main thread; later ones don't disturb the stopping."""

    def stop(*_: object) -> None:
        ignore_signals()
        print("\nstopping …", flush=True)
        raise Stopped

    for number in _SIGNALS:
        signal.signal(number, stop)


def ignore_signals() -> None:
    """From now on SIGINT and SIGTERM do nothing."""
    for number in _SIGNALS:
        signal.signal(number, signal.SIG_IGN)
