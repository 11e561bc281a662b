from __future__ import annotations

from pathlib import Path

import pytest

from shipway.client.config import DEFAULT_URL, config_path, save_url, service_url
from shipway.exceptions import ClientError


@pytest.fixture(autouse=True)
def _no_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.delenv("SHIPWAY_URL", raising=False)


def test_without_any_setting_it_is_this_machine() -> None:
    assert service_url() == DEFAULT_URL


def test_the_nearest_setting_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    save_url("http://file:1")
    assert service_url() == "http://file:1"
    monkeypatch.setenv("SHIPWAY_URL", "http://variable:2/")
    assert service_url() == "http://variable:2"

    assert service_url("https://explicit:3/base/") == "https://explicit:3/base"


@pytest.mark.parametrize("url", ["", "ftp://x", "localhost:8470", "http://", "http://x:99999", "http://[x"])
def test_a_bad_url_is_refused_with_its_origin(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHIPWAY_URL", url or "nonsense")

    with pytest.raises(ClientError, match="SHIPWAY_URL") as raised:
        service_url()
    assert raised.value.slug == "url-invalid"


@pytest.mark.parametrize("content", ["url = [", "url = 7", "\xff"])
def test_a_broken_file_is_told_by_name(content: str) -> None:
    config_path().parent.mkdir(parents=True)
    config_path().write_bytes(content.encode("latin-1"))

    with pytest.raises(ClientError, match=r"config\.toml") as raised:
        service_url()
    assert raised.value.slug == "config-invalid"
