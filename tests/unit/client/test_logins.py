from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from shipway.client.logins import Login, configured_registries, docker_config_path, registry_logins
from shipway.exceptions import ClientError


def auth(user: str, password: str) -> dict[str, str]:
    return {"auth": base64.b64encode(f"{user}:{password}".encode()).decode()}


def config(tmp_path: Path, content: dict[str, Any]) -> Path:
    path = tmp_path / "config.json"
    path.write_text(json.dumps(content))
    return path


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A place on PATH for credential programs."""
    bin_ = tmp_path / "bin"
    bin_.mkdir()
    monkeypatch.setenv("PATH", f"{bin_}:/usr/bin:/bin")
    return bin_


def program(bin_: Path, name: str, script: str) -> None:
    path = bin_ / f"docker-credential-{name}"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


def test_only_the_registries_asked_for_are_given_away(tmp_path: Path) -> None:
    path = config(tmp_path, {"auths": {"a.example": auth("u", "p:q"), "b.example:5000": auth("v", "w")}})

    assert registry_logins(["a.example", "c.example"], path=path) == {"a.example": Login(username="u", password="p:q")}


def test_docker_hub_goes_by_its_old_url(tmp_path: Path) -> None:
    path = config(tmp_path, {"auths": {"https://index.docker.io/v1/": auth("u", "p")}})

    assert registry_logins(["docker.io"], path=path)["docker.io"]["username"] == "u"


def test_an_identity_token_is_marked_as_docker_marks_it(tmp_path: Path) -> None:
    path = config(tmp_path, {"auths": {"a.example": {**auth("u", "p"), "identitytoken": "T"}}})

    assert registry_logins(["a.example"], path=path)["a.example"] == Login(username="<token>", password="T")


def test_a_credential_program_is_asked_for_its_registry(tmp_path: Path, programs: Path) -> None:
    program(programs, "mine", 'read h; [ "$1" = get ] && echo "{\\"Username\\":\\"$h\\",\\"Secret\\":\\"s\\"}"')
    path = config(tmp_path, {"credHelpers": {"a.example": "mine"}, "auths": {"a.example": {}}})

    assert registry_logins(["a.example"], path=path)["a.example"] == Login(username="a.example", password="s")


def test_the_store_is_asked_for_the_url_of_docker_hub_and_may_have_none(tmp_path: Path, programs: Path) -> None:
    program(
        programs,
        "store",
        'read h; case $h in https://index.docker.io/v1/) echo \'{"Username":"hub","Secret":"s"}\';;'
        " *) echo credentials not found in native keychain; exit 1;; esac",
    )
    warnings: list[str] = []
    path = config(tmp_path, {"credsStore": "store", "auths": {"b.example": auth("file", "p")}})
    found = registry_logins(["docker.io", "b.example", "c.example"], path=path, warn=warnings.append)

    assert {host: login["username"] for host, login in found.items()} == {"docker.io": "hub", "b.example": "file"}
    assert warnings == []


@pytest.mark.parametrize("script", ["echo no-json", "echo locked >&2; exit 3", "echo '{}'", "echo '[]'"])
def test_a_broken_program_is_warned_of_and_is_no_login(script: str, tmp_path: Path, programs: Path) -> None:
    program(programs, "broken", script)
    warnings: list[str] = []
    path = config(tmp_path, {"credsStore": "broken"})

    assert registry_logins(["a.example"], path=path, warn=warnings.append) == {}
    assert len(warnings) == 1
    assert "docker-credential-broken" in warnings[0]


def test_a_missing_program_is_warned_of(tmp_path: Path, programs: Path) -> None:
    warnings: list[str] = []

    assert registry_logins(["a.example"], path=config(tmp_path, {"credsStore": "gone"}), warn=warnings.append) == {}
    assert "docker-credential-gone" in warnings[0]


def test_an_entry_that_is_not_base64_is_warned_of(tmp_path: Path) -> None:
    warnings: list[str] = []
    path = config(tmp_path, {"auths": {"a.example": {"auth": "%%%"}}})

    assert registry_logins(["a.example"], path=path, warn=warnings.append) == {}
    assert "docker login a.example" in warnings[0]


def test_no_file_means_no_logins_and_a_broken_file_is_told(tmp_path: Path) -> None:
    assert registry_logins(["a.example"], path=tmp_path / "none") == {}
    for content in ("{", "[]"):
        (tmp_path / "config.json").write_text(content)
        with pytest.raises(ClientError) as raised:
            registry_logins(["a.example"], path=tmp_path / "config.json")
        assert raised.value.slug == "docker-config-invalid"


def test_the_directory_is_dockers_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))

    assert docker_config_path() == tmp_path / "config.json"


def test_all_registries_with_a_login_are_found(tmp_path: Path, programs: Path) -> None:
    program(programs, "vault", 'test "$1" = list && echo \'{"https://index.docker.io/v1/": "ada"}\'')
    content = {"auths": {"a.example": auth("u", "p")}, "credHelpers": {"b.example:5000": "x"}, "credsStore": "vault"}

    found = configured_registries(path=config(tmp_path, content))

    assert found == {"a.example", "b.example:5000", "docker.io"}
