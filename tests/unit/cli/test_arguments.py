from __future__ import annotations

import socket
from pathlib import Path

import pytest

from shipway.cli.arguments import (
    build_args,
    cache_from,
    cache_to,
    duration,
    labels,
    secrets,
    ssh,
)
from shipway.cli.command import ArgumentError
from shipway.context.url import is_remote


def test_build_args_may_come_from_the_environment() -> None:
    given = ["A=1", "B=x=y", "HOME", "UNSET", "EMPTY="]

    assert build_args(given, {"HOME": "/root"}) == {"A": "1", "B": "x=y", "HOME": "/root", "EMPTY": ""}


def test_a_label_alone_is_empty() -> None:
    assert labels(["a=b", "c"]) == {"a": "b", "c": ""}


@pytest.mark.parametrize("read", [build_args, labels])
def test_a_name_is_needed(read: object) -> None:
    with pytest.raises(ArgumentError):
        read(["=x"])  # type: ignore[operator]


def test_secrets_come_from_files_and_variables(tmp_path: Path) -> None:
    file = tmp_path / "a,b"
    file.write_bytes(b"\x00from file")
    given = [
        f'id=one,"src={file}"',
        "id=two,env=V",
        "id=V",
        "type=env,id=three,src=V",
        "type=file,id=four,source=" + str(tmp_path / "c"),
    ]
    (tmp_path / "c").write_text("c")

    assert secrets(given, {"V": "from env"}) == {
        "one": b"\x00from file",
        "two": b"from env",
        "V": b"from env",
        "three": b"from env",
        "four": b"c",
    }


def test_a_secret_with_only_an_id_is_the_file_of_that_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "token").write_text("t")

    assert secrets(["id=token"], {}) == {"token": b"t"}


@pytest.mark.parametrize(
    "text", ["", "src=x", "id=", "id=a,what=b", "id=a,src=/nowhere/at/all", "id=a,env=UNSET", "id=a,type=ssh", "a"]
)
def test_bad_secrets_are_refused(text: str) -> None:
    with pytest.raises(ArgumentError, match="--secret"):
        secrets([text], {})


def test_cache_sources_are_images() -> None:
    assert cache_from(["a/b:1", "type=registry,ref=c/d"]) == ["a/b:1", "c/d"]
    with pytest.raises(ArgumentError):
        cache_from(["type=local,src=/x"])


def test_cache_goes_to_a_registry() -> None:
    assert [cache_to(None), cache_to("a/b:1")] == [(None, "min"), ("a/b:1", "min")]
    assert cache_to("type=registry,ref=c/d,mode=max") == ("c/d", "max")
    for wrong in ("type=local,dest=/x", "type=registry", "ref=a,mode=most"):
        with pytest.raises(ArgumentError):
            cache_to(wrong)


def test_durations() -> None:
    assert [duration(text) for text in ("90", "1.5s", "15m", "2h", "30d")] == [90, 1.5, 900, 7200, 2_592_000]
    for text in ("", "0", "-1", "5w", "m"):
        with pytest.raises(ArgumentError):
            duration(text)


def test_urls_are_told_from_directories(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    remote = ["https://x/y.git", "git@host:x/y", "git://x", "github.com/a/b", "ssh://h/x"]

    assert all(is_remote(path) for path in remote)
    assert not any(is_remote(path) for path in (".", "-", "https", "gitlab"))
    (tmp_path / "github.com" / "a").mkdir(parents=True)
    assert not is_remote("github.com/a")


def test_ssh_keys_come_from_files_and_agents_from_sockets(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).write_text(name)
    with socket.socket(socket.AF_UNIX) as agent:
        agent.bind(str(tmp_path / "agent"))

        here = tmp_path / "agent"
        assert ssh([f"default={tmp_path}/a,{tmp_path}/b"], {}) == ({"default": [b"a", b"b"]}, {})
        assert ssh(["default", f"work={here}"], {"SSH_AUTH_SOCK": str(here)}) == ({}, {"default": here, "work": here})
        for wrong in ("default", f"default={here},{tmp_path}/a", "=x", f"default={tmp_path}/missing"):
            with pytest.raises(ArgumentError):
                ssh([wrong], {})
