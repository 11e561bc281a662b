"""The agent that answers steps, asked by OpenSSH's own programs."""

from __future__ import annotations

import asyncio
import base64
import os
import struct
import subprocess
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from shipway.exceptions import BuildUserError
from shipway.models.agent import FAILED
from workers.engine.session.ssh import Agent, load_key

Made = Callable[..., Path]
KINDS = {
    "ed25519": ("-t", "ed25519"),
    "ecdsa 256": ("-t", "ecdsa", "-b", "256"),
    "ecdsa 521": ("-t", "ecdsa", "-b", "521"),
    "rsa": ("-t", "rsa", "-b", "2048"),
    "rsa as PEM": ("-t", "rsa", "-b", "2048", "-m", "PEM"),
}


@pytest.fixture
def made(tmp_path: Path) -> Made:
    """Makes a key by ssh-keygen; returns the private key's file."""

    def make(*kind: str, passphrase: str = "") -> Path:
        file = tmp_path / "key"
        subprocess.run(["ssh-keygen", "-q", *kind, "-N", passphrase, "-C", "", "-f", file], check=True)
        return file

    return make


def loaded(file: Path) -> Agent:
    return Agent([load_key("default", base64.b64encode(file.read_bytes()).decode())])


@asynccontextmanager
async def listening(agent: Agent, socket: Path) -> AsyncIterator[dict[str, str]]:
    """Serve an agent on a socket; yields the environment that names it."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while head := await reader.read(4):
            answer = agent.answer(await reader.readexactly(struct.unpack(">I", head)[0]))
            writer.write(struct.pack(">I", len(answer)) + answer)
        writer.close()

    async with await asyncio.start_unix_server(serve, socket):
        yield {**os.environ, "SSH_AUTH_SOCK": str(socket)}


async def run(env: dict[str, str], *words: str | Path, stdin: bytes = b"") -> bytes:
    process = await asyncio.create_subprocess_exec(
        *words, env=env, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    out, err = await process.communicate(stdin)
    assert process.returncode == 0, err
    return out


@pytest.mark.parametrize("kind", KINDS)
async def test_openssh_takes_what_the_agent_lists_and_signs(made: Made, tmp_path: Path, kind: str) -> None:
    file = made(*KINDS[kind])
    public = file.with_suffix(".pub").read_bytes()
    agent = loaded(file)
    file.unlink()

    async with listening(agent, tmp_path / "agent") as env:
        listed = await run(env, "ssh-add", "-L")
        signature = await run(env, "ssh-keygen", "-q", "-Y", "sign", "-n", "test", "-f", f"{file}.pub", stdin=b"text")
        (tmp_path / "signature").write_bytes(signature)
        checked = ("ssh-keygen", "-q", "-Y", "check-novalidate", "-n", "test", "-s", tmp_path / "signature")
        await run(env, *checked, stdin=b"text")

    assert listed.split()[:2] == public.split()[:2]


def test_what_the_agent_cannot_do_is_answered_as_a_failure(made: Made) -> None:
    agent = loaded(made(*KINDS["ed25519"]))

    unknown_key = b"\x0d" + b"\0\0\0\1x" + b"\0\0\0\1y" + bytes(4)
    for request in (b"", b"\x01", b"\x11whatever", b"\x0d", b"\x0d\xff\xff\xff\xff", unknown_key):
        assert agent.answer(request) == FAILED


def test_key_that_can_not_be_used_is_told_without_its_text(made: Made) -> None:
    locked = made(*KINDS["ed25519"], passphrase="secret").read_bytes()

    for raw in (locked, b"", b"no key at all", b"-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n"):
        with pytest.raises(BuildUserError) as caught:
            load_key("default", base64.b64encode(raw).decode())

        assert caught.value.slug == "ssh-key-invalid"
        assert "BEGIN" not in caught.value.message
