from __future__ import annotations

from pathlib import Path

import pytest

from shipway.client.config import (
    DEFAULT_URL,
    config_path,
    save_token,
    save_url,
    service_token,
    service_url,
    tokens_path,
)
from shipway.exceptions import ClientError


@pytest.fixture(autouse=True)
def _no_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.delenv("SHIPWAY_URL", raising=False)
    monkeypatch.delenv("SHIPWAY_TOKEN", raising=False)


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


def test_a_token_is_kept_for_its_own_url_and_readable_by_its_owner_only() -> None:
    save_token("http://one:1", "first")
    save_token("http://two:2", "second")

    path = save_token("http://one:1", "third")

    assert [service_token(url) for url in ("http://one:1", "http://two:2", "http://three:3")] == [
        *("third", "second", None)
    ]
    assert path.stat().st_mode & 0o777 == 0o600


def test_the_nearest_token_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    save_token("http://one:1", "kept")
    monkeypatch.setenv("SHIPWAY_TOKEN", " variable\n")

    assert service_token("http://one:1") == "variable"
    assert service_token("http://one:1", "explicit") == "explicit"


@pytest.mark.parametrize("token", ["two words", "w\u00f6rd", "line\nend", "   "])
def test_what_is_no_token_is_refused_and_not_repeated(token: str) -> None:
    with pytest.raises(ClientError) as raised:
        service_token("http://one:1", token)
    assert raised.value.slug == "token-invalid"
    assert token.strip() == "" or token not in raised.value.message


@pytest.mark.parametrize("content", ["{", "[]", '{"http://one:1": 1}', "\xff"])
def test_broken_tokens_are_told_by_their_file(content: str) -> None:
    tokens_path().parent.mkdir(parents=True)
    tokens_path().write_bytes(content.encode("latin-1"))

    with pytest.raises(ClientError, match=r"tokens\.json") as raised:
        service_token("http://one:1")
    assert raised.value.slug == "config-invalid"
