"""Steps that use ssh: with an agent of the user's machine, and with keys that come with the request."""

from __future__ import annotations

import base64
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from deploy.local.dockerd import Dockerd
from deploy.local.stack import Stack
from deploy.local.waiting import wait_until
from shipway.client import Client
from shipway.models.agent import FAILED, REQUEST_IDENTITIES
from shipway.models.job import JobState
from tests.integration.command import Shipway, write
from tests.integration.contexts import once, script
from tests.integration.http_api import HttpApi, made, refusal

SSH_ADD = "chmod +x /client/*; LD_LIBRARY_PATH=/client /client/loader /client/ssh-add"
SSH_KEYGEN = "chmod +x /client/*; LD_LIBRARY_PATH=/client /client/loader /client/ssh-keygen"


@pytest.fixture
def shipway(stack: Stack, tmp_path: Path) -> Shipway:
    return Shipway(stack.service.url, stack.token, tmp_path)


@dataclass(frozen=True)
class SshAgent:
    """OpenSSH's agent with one key, which is nowhere else."""

    socket: Path
    public: str

    @property
    def keys(self) -> str:
        """What it holds now."""
        env = {"SSH_AUTH_SOCK": str(self.socket)}
        return subprocess.run(["ssh-add", "-L"], env=env, capture_output=True, text=True, check=False).stdout


@pytest.fixture
def agent(tmp_path: Path) -> Iterator[SshAgent]:
    key, socket = tmp_path / "agents-key", tmp_path / "agent.socket"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "of the agent", "-f", key], check=True)
    running = subprocess.Popen(["ssh-agent", "-D", "-a", socket], stdout=subprocess.DEVNULL)
    try:
        subprocess.run(
            ["sh", "-c", 'until ssh-add -q "$1"; do sleep 0.05; done', "sh", key],
            env={"SSH_AUTH_SOCK": str(socket), "PATH": "/usr/bin:/bin"},
            stderr=subprocess.DEVNULL,
            timeout=20,
            check=True,
        )
        key.unlink()
        yield SshAgent(socket, key.with_suffix(".pub").read_text())
    finally:
        running.terminate()
        running.wait()


def openssh(program: str) -> dict[str, bytes]:
    """A program of this machine with the libraries that it needs, to be run by the first of them."""
    path = shutil.which(program)
    assert path is not None
    needed = subprocess.run(["ldd", path], capture_output=True, text=True, check=True).stdout
    files = [Path(path), *map(Path, re.findall(r"(/\S+) \(0x", needed))]
    return {f"client/{'loader' if file.name.startswith('ld-') else file.name}": file.read_bytes() for file in files}


def using(command: str, program: str = "ssh-add") -> dict[str, bytes]:
    """A context whose one step runs OpenSSH's program with an agent."""
    step = f"RUN --mount=type=ssh {command} # {once()}"
    return {**script("FROM base", "COPY client /client", step), **openssh(program)}


def content(dockerd: Dockerd, image: str | None, path: str) -> str:
    """The content of a file of an image."""
    ran = dockerd.docker("run", "--rm", "--network=none", image or "", "cat", path)
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


def test_agent_here_lists_its_keys_to_a_step_that_can_take_none_away(
    shipway: Shipway, agent: SshAgent, dockerd: Dockerd
) -> None:
    write(shipway.folder / "context", using(f"{SSH_ADD} -L > /listed && ! {SSH_ADD.split('; ')[1]} -D"))
    here = Shipway(shipway.url, shipway.token, shipway.folder, {"SSH_AUTH_SOCK": str(agent.socket)})

    here.ok("build", "context", "--ssh", "default", "--iidfile", "id")

    image = (shipway.folder / "id").read_text()
    assert content(dockerd, image, "/listed") == agent.public
    assert agent.keys == agent.public


def test_agent_here_signs_for_a_step(stack: Stack, agent: SshAgent, dockerd: Dockerd, tmp_path: Path) -> None:
    sign = f"{SSH_KEYGEN} -q -Y sign -n test -f /client/key.pub < /client/text > /signature"
    files = using(sign, "ssh-keygen") | {"client/key.pub": agent.public.encode(), "client/text": b"text"}
    context = write(tmp_path / "context", files)
    with Client(stack.service.url, token=stack.token) as client:
        job = client.build(context, agents=["default"])
        with client.forwarding(job.id, {"default": agent.socket}):
            job = client.wait(job.id, check=True)

    (tmp_path / "signature").write_text(content(dockerd, job.result.image_id, "/signature"))
    check = ("ssh-keygen", "-q", "-Y", "check-novalidate", "-n", "test", "-s", tmp_path / "signature")
    subprocess.run(check, input=b"text", check=True)


@pytest.mark.engine_independent
def test_client_that_goes_away_in_mid_build_fails_the_step_that_needs_it(
    shipway: Shipway, agent: SshAgent, api: HttpApi
) -> None:
    word = once()
    write(shipway.folder / "context", using(f"echo begun {word}; sleep 3; {SSH_ADD} -l"))
    command = shipway.start("build", "context", "--ssh", f"default={agent.socket}")

    def running() -> str:
        jobs = api.http.get("/v1/jobs", params={"state": "running"}).json()["jobs"]
        return jobs[0]["id"] if jobs else ""

    assert wait_until(running, 60)
    job_id = running()
    api.wait_for_text(job_id, word)
    command.kill()
    command.communicate()

    ended = api.wait(job_id)

    assert (ended.state, ended.error and ended.error.slug) == (JobState.FAILED, "ssh-agent-away")
    assert ended.error is not None
    assert (ended.error.step or "", ended.attempt) != ("", 2)


@pytest.mark.engine_independent
def test_nobody_else_is_asked_or_answers(api: HttpApi, stack: Stack) -> None:
    job = api.submit(using(f"{SSH_ADD} -l && exit 1; true"), agents=["default"])
    asked: list[dict[str, str]] = []
    while not asked:
        asked = api.http.get(f"/v1/jobs/{job.id}/agent").json()["requests"]
    (one,) = asked
    path = f"/v1/jobs/{job.id}/agent/{one['number']}"
    answer = {"message": base64.b64encode(FAILED).decode()}

    with HttpApi(stack.service.url, made(api, project="elsewhere", scopes=["read", "build"])["token"]) as stranger:
        assert refusal(stranger.http.get(f"/v1/jobs/{job.id}/agent")) == (404, "job-unknown")
        assert refusal(stranger.http.put(path, json=answer)) == (404, "job-unknown")
    with HttpApi(stack.service.url, made(api, scopes=["read"])["token"]) as reader:
        assert refusal(reader.http.put(path, json=answer)) == (403, "scope-missing")
    for wrong in ({"message": "no base64!"}, {"message": ""}, {}, {"message": "A" * 400_000}):
        assert api.http.put(path, json=wrong).status_code == httpx.codes.UNPROCESSABLE_ENTITY
    assert refusal(api.http.put(f"/v1/jobs/{job.id}/agent/1-1", json=answer)) == (404, "ssh-request-unknown")
    assert base64.b64decode(one["message"]) == bytes([REQUEST_IDENTITIES])
    assert api.http.put(path, json=answer).status_code == httpx.codes.NO_CONTENT
    assert refusal(api.http.put(path, json=answer)) in [(404, "ssh-request-unknown"), (409, "job-ended")]
    assert api.wait(job.id).state is JobState.SUCCEEDED
    assert refusal(api.http.get(f"/v1/jobs/{job.id}/agent")) == (409, "job-ended")


def test_agent_is_not_left_to_a_build_that_nobody_waits_for(shipway: Shipway, agent: SshAgent) -> None:
    write(shipway.folder, script("FROM base"))

    done = shipway("build", ".", "--ssh", f"default={agent.socket}", "--detach")

    assert (done.returncode, "--detach" in done.stderr) == (2, True), done.stderr


def test_ssh_key_answers_a_step_and_stays_out_of_it(shipway: Shipway, api: HttpApi, dockerd: Dockerd) -> None:
    key = shipway.folder / "key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "", "-f", key], check=True)
    write(shipway.folder / "context", using(f"{SSH_ADD} -L > /listed"))

    job = api.wait(shipway.ok("build", "context", "--ssh", f"default={key}", "--detach").strip())

    assert job.state is JobState.SUCCEEDED, job.error
    listed = content(dockerd, job.result.image_id, "/listed")
    assert listed.split() == key.with_suffix(".pub").read_text().split()
    assert job.spec.model_dump()["ssh"] == ("default",)
    assert dockerd.docker("run", "--rm", "--network=none", job.result.image_id or "", "env").stdout.count("SSH") == 0


@pytest.mark.parametrize(("given", "slug"), [((), "ssh-key-missing"), (("--ssh", "default=no-key"), "ssh-key-invalid")])
def test_ssh_key_that_is_missing_or_none_is_told(shipway: Shipway, given: tuple[str, ...], slug: str) -> None:
    write(shipway.folder, {**script("FROM base", "RUN --mount=type=ssh,required true"), "no-key": b"prose"})

    done = shipway("build", ".", "--no-cache", *given)

    assert (done.returncode, f"({slug})" in done.stderr) == (1, True), done.stderr
    assert "Traceback" not in done.stderr
