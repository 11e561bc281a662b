from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit.client.stand_in import StandIn, running_stand_in


@pytest.fixture
def service() -> Iterator[StandIn]:
    with running_stand_in() as stand_in:
        yield stand_in


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the client remembers what directories were like."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def root(tmp_path: Path, cache: Path) -> Path:
    """A directory to be sent, of which nothing is remembered yet."""
    root = tmp_path / "context"
    (root / "src").mkdir(parents=True)
    for number in range(5):
        (root / "src" / f"f{number}").write_text(f"file {number}\n" * 100)
    (root / "empty").touch()
    (root / "again").write_text("file 3\n" * 100)
    (root / "link").symlink_to("src/f1")
    return root
