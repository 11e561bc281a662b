"""Work that nobody waits for until the end."""

from __future__ import annotations

import threading
from collections.abc import Callable


class Aside:
    """Functions that run on threads of their own; these do not keep a command from ending after Ctrl-C."""

    def __init__(self) -> None:
        self._threads: list[threading.Thread] = []

    def run(self, function: Callable[[], None]) -> None:
        """Run a function from now on."""
        thread = threading.Thread(target=function, name="shipway-aside", daemon=True)
        thread.start()
        self._threads = [*filter(threading.Thread.is_alive, self._threads), thread]

    def join(self) -> None:
        """Wait until all of them have returned."""
        for thread in self._threads:
            thread.join()
