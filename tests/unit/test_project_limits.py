"""Limits of single projects are read when a process starts: what it can't read stops it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from pydantic import ValidationError
from pydantic_settings import SettingsError

from shipway.settings import Settings


def read(monkeypatch: pytest.MonkeyPatch, text: str) -> Settings:
    monkeypatch.setenv("SHIPWAY_PROJECT_LIMITS", text)
    return Settings(max_queued=7)


def test_project_without_limits_of_its_own_has_those_of_all(monkeypatch: pytest.MonkeyPatch) -> None:
    found = read(monkeypatch, '{"team-a": {"max_running": 3}}')

    assert (found.limits_of("team-a").max_running, found.limits_of("team-a").max_queued) == (3, 7)
    assert (found.limits_of("team-b").max_running, found.limits_of("team-b").max_queued) == (64, 7)


@pytest.mark.parametrize(
    "limits", [{"a": {"max_runing": 3}}, {"a": {"lease": 3}}, {"a": {"max_running": 0}}, {"Team A": {}}, {"a": 3}]
)
def test_limits_that_mean_nothing_are_refused_at_the_start(monkeypatch: pytest.MonkeyPatch, limits: Any) -> None:
    with pytest.raises(ValidationError, match=r"project_limits|max_runing|max_running|lease"):
        read(monkeypatch, json.dumps(limits))


def test_text_that_is_no_json_is_refused_at_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SettingsError, match="project_limits"):
        read(monkeypatch, "team-a=3")
