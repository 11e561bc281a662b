"""A build goes from an HTTP request to an image, and to a registry."""

from __future__ import annotations

import base64
import hashlib
import json
import subprocess
import time

import pytest

from deploy.local.dockerd import Dockerd
from deploy.local.registry import Registry
from shipway.models.event import StepStatus, Warned
from shipway.models.job import Job, JobState
from tests.integration.contexts import once, script, tar_of
from tests.integration.http_api import TAR, HttpApi, refusal, user_steps
from tests.support.registered import registered

BUILDERS = pytest.mark.parametrize("builder", ["buildkit", "classic"])


def run(dockerd: Dockerd, image: str | None, *command: str) -> str:
    """Run a command in an image and return what it writes."""
    assert image
    ran = dockerd.docker("run", "--rm", "--network=none", image, *command)
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


@BUILDERS
def test_image_of_a_json_build_holds_the_context_and_has_its_names(
    api: HttpApi, dockerd: Dockerd, builder: str
) -> None:
    word = once()
    files = {**script("FROM base", "COPY greeting /greeting", f"RUN cat /greeting > /copy # {word}"), "greeting": b"hi"}

    job = api.succeed(files, builder=builder, tags=[f"one-{word}", f"two-{word}:v2"])

    assert run(dockerd, f"one-{word}", "cat", "/greeting", "/copy") == "hihi"
    ids = dockerd.docker("inspect", "-f", "{{.Id}}", f"one-{word}:latest", f"two-{word}:v2").stdout.split()
    assert [job.result.image_id] * 2 == ids


@BUILDERS
def test_record_tells_who_built_what_when_and_how(api: HttpApi, builder: str) -> None:
    files, before = {**script("FROM base", "COPY a /a", "RUN cat /a"), "a": once().encode()}, time.time()

    job = api.succeed(files, builder=builder)

    after = time.time()
    assert (job.state, job.attempt, job.worker, job.error) == (JobState.SUCCEEDED, 1, "local-1", None)
    assert (job.project, job.kind, job.cancel_requested) == ("default", "build", False)
    times = job.timings
    assert times.started is not None
    assert times.finished is not None
    assert before - 0.1 <= times.created <= times.started <= times.finished <= after + 0.1
    assert {"fetch", "build"} == set(times.phases)
    assert 0 < times.phases["build"] <= times.finished - times.started
    assert [s.number for s in job.steps] == list(range(1, len(job.steps) + 1))
    ran = next(s for s in user_steps(job) if "RUN" in s.name)
    assert ran.started is not None
    assert ran.completed is not None
    assert times.started <= ran.started <= ran.completed <= times.finished
    assert job.events == len(api.events(job.id))
    assert api.job(job.id) in [Job.model_validate(one) for one in api.http.get("/v1/jobs").json()["jobs"]]


@BUILDERS
def test_second_build_is_cached_in_whole(api: HttpApi, builder: str) -> None:
    files = {**script("FROM base", "COPY a /a", "COPY a /b"), "a": once().encode()}

    first, second = api.succeed(files, builder=builder), api.succeed(files, builder=builder)

    def copies(job: Job) -> list[StepStatus]:
        return [s.status for s in user_steps(job) if "COPY" in s.name]

    assert first.result.image_id == second.result.image_id
    assert copies(first) == [StepStatus.EXECUTED] * 2
    assert copies(second) == [StepStatus.CACHED] * 2
    assert (first.cache_hit_ratio, second.cache_hit_ratio) == (0, 1)


@BUILDERS
def test_no_cache_runs_everything_again(api: HttpApi, builder: str) -> None:
    files = {**script("FROM scratch", "COPY a /a"), "a": once().encode()}
    api.succeed(files, builder=builder)

    again = api.succeed(files, builder=builder, no_cache=True)

    assert [s.status for s in user_steps(again) if "COPY" in s.name] == [StepStatus.EXECUTED]


@BUILDERS
def test_options_reach_the_build(api: HttpApi, dockerd: Dockerd, builder: str) -> None:
    lines = ("FROM base AS app", "ARG WHO", f"RUN echo $WHO > /who; cp /etc/hosts /seen # {once()}")

    job = api.succeed(
        {"docker/app.Dockerfile": "\n".join([*lines, "FROM app", "RUN exit 7"]).encode()},
        builder=builder,
        dockerfile="docker/app.Dockerfile",
        build_args={"WHO": "ada"},
        labels={"org.example.kind": "tést=1"},
        target="app",
        network="none",
        extra_hosts=["one.test:192.0.2.1"],
    )

    assert run(dockerd, job.result.image_id, "cat", "/who") == "ada\n"
    assert "192.0.2.1\tone.test" in run(dockerd, job.result.image_id, "cat", "/seen")
    label = dockerd.docker("inspect", "-f", '{{index .Config.Labels "org.example.kind"}}', job.result.image_id or "")
    assert label.stdout == "tést=1\n"


def test_secret_reaches_its_step_and_nothing_else(api: HttpApi, dockerd: Dockerd) -> None:
    value = once()
    mount = "--mount=type=secret,id=token"
    files = script("FROM base", f"RUN {mount} sha256sum < /run/secrets/token > /sum # {once()}")

    job = api.succeed(files, secrets={"token": base64.b64encode(value.encode()).decode()})

    digest = hashlib.sha256(value.encode()).hexdigest()
    assert run(dockerd, job.result.image_id, "cat", "/sum") == f"{digest}  -\n"
    told = api.http.get(f"/v1/jobs/{job.id}").text + "".join(e.model_dump_json() for e in api.events(job.id))
    assert value not in told
    assert base64.b64encode(value.encode()).decode() not in told
    assert job.spec.model_dump()["secrets"] == ("token",)


@BUILDERS
def test_tar_in_the_body_with_dockers_own_parameters(api: HttpApi, dockerd: Dockerd, builder: str) -> None:
    word = once()
    text = f"FROM base AS app\nARG WHO\nRUN echo $WHO > /who # {word}\nFROM app\nRUN exit 7\n"
    query = {
        "t": [f"one-{word}", f"two-{word}"],
        "dockerfile": "other",
        "buildargs": json.dumps({"WHO": "ada"}),
        "labels": json.dumps({"word": word}),
        "target": "app",
        "nocache": "1",
        "pull": "false",
        "platform": "linux/amd64",
        "networkmode": "none",
        "builder": builder,
        "rm": "1",
    }

    answer = api.http.post("/v1/builds", params=query, content=tar_of({"other": text.encode()}), headers=TAR)

    assert answer.status_code == 202, answer.text
    assert answer.headers["location"] == f"/v1/jobs/{answer.json()['id']}"
    job = api.wait(answer.json()["id"])
    assert job.state is JobState.SUCCEEDED, job.error
    assert run(dockerd, f"two-{word}", "cat", "/who") == "ada\n"
    assert dockerd.docker("inspect", "-f", "{{.Config.Labels.word}}", f"one-{word}").stdout.strip() == word


def test_tar_piped_into_curl_is_enough(api: HttpApi, dockerd: Dockerd) -> None:
    word = once()
    archive = tar_of(script("FROM base", f"RUN echo {word} > /word"))
    url = f"{api.url}/v1/builds?t=curled-{word}"

    sent = subprocess.run(
        [
            "curl",
            "--silent",
            "--show-error",
            "--noproxy",
            "*",
            "-H",
            f"Authorization: Bearer {api.token}",
            "-T",
            "-",
            url,
        ],
        input=archive,
        capture_output=True,
        check=False,
    )

    assert sent.returncode == 0, sent.stderr
    job = api.wait(json.loads(sent.stdout)["id"])
    assert job.state is JobState.SUCCEEDED, job.error
    assert run(dockerd, f"curled-{word}", "cat", "/word") == f"{word}\n"


def test_same_idempotency_key_answers_with_the_same_job(api: HttpApi) -> None:
    key, files = {"Idempotency-Key": once()}, script("FROM scratch", f"LABEL word={once()}")

    first, again = api.ask(files, headers=key), api.ask(files, headers=key)
    other = api.ask(files, headers=key, tags=["other"])

    assert (first.status_code, again.status_code) == (202, 202)
    assert first.json()["id"] == again.json()["id"]
    assert refusal(other) == (409, "idempotency-mismatch")
    assert api.wait(first.json()["id"]).state is JobState.SUCCEEDED


@BUILDERS
def test_every_pushed_tag_has_the_digest_that_its_registry_has(api: HttpApi, registry: Registry, builder: str) -> None:
    word = once()
    tags = [f"{registry.address}/team/{word}:1", f"{registry.address}/{word}:latest"]

    job = api.succeed(script("FROM base", f"LABEL word={word}"), builder=builder, tags=tags, push=True)

    found = [registered(registry, f"team/{word}", "1"), registered(registry, word, "latest")]
    assert [(p.reference, p.digest) for p in job.result.pushed] == list(zip(tags, found, strict=True))
    assert "push" in job.timings.phases
    bodies = [e.body.model_dump() for e in api.events(job.id) if e.body.type == "pushed"]
    assert [(b["reference"], b["digest"]) for b in bodies] == list(zip(tags, found, strict=True))


def test_push_takes_the_login_from_the_request(api: HttpApi, locked_registry: Registry) -> None:
    word = once()
    logins = {locked_registry.address: {"username": "ada", "password": "byron"}}
    tag = f"{locked_registry.address}/{word}:1"

    job = api.succeed(script("FROM base", f"LABEL word={word}"), tags=[tag], push=True, registries=logins)

    assert [p.digest for p in job.result.pushed] == [registered(locked_registry, word, "1")]
    assert "byron" not in api.http.get(f"/v1/jobs/{job.id}").text


def test_push_takes_the_login_from_dockers_header(api: HttpApi, locked_registry: Registry) -> None:
    word = once()
    logins = {locked_registry.address: {"username": "ada", "password": "byron"}}
    header = base64.urlsafe_b64encode(json.dumps(logins).encode()).decode()

    answer = api.http.post(
        "/v1/builds",
        params={"t": f"{locked_registry.address}/{word}:1", "push": "1"},
        content=tar_of(script("FROM base", f"LABEL word={word}")),
        headers={**TAR, "X-Registry-Config": header},
    )

    job = api.wait(answer.json()["id"])
    assert job.state is JobState.SUCCEEDED, job.error
    assert [p.digest for p in job.result.pushed] == [registered(locked_registry, word, "1")]


@pytest.mark.parametrize("password", ["wrong", None])
def test_push_with_a_wrong_login_or_none_is_denied_and_not_tried_again(
    api: HttpApi, locked_registry: Registry, password: str | None
) -> None:
    word = once()
    logins = {locked_registry.address: {"username": "ada", "password": password}} if password else {}

    job = api.build(
        script("FROM base", f"LABEL word={word}"),
        tags=[f"{locked_registry.address}/{word}:1"],
        push=True,
        registries=logins,
    )

    assert job.state is JobState.FAILED
    assert job.error is not None
    assert (job.error.slug, job.error.retryable, job.attempt) == ("registry-denied", False, 1)
    assert job.result.image_id is not None
    assert [p for p in job.result.pushed if p.digest] == []
    assert [e for e in api.events(job.id) if isinstance(e.body, Warned)] == []


def test_failing_step_is_named_with_what_it_wrote(api: HttpApi) -> None:
    job = api.build(script("FROM base", f"RUN echo before the fall {once()}; exit 42"))

    assert job.state is JobState.FAILED
    assert job.error is not None
    assert job.error.slug == "step-failed"
    assert "exit 42" in (job.error.step or "")
    assert "42" in job.error.message
    assert [s.status for s in user_steps(job) if "exit 42" in s.name] == [StepStatus.FAILED]
    assert "before the fall" in api.log(job.id)


def test_jobs_are_listed_newest_first_in_pages(api: HttpApi) -> None:
    made = [api.succeed(script("FROM scratch", f"LABEL word={once()}")).id for _ in range(3)]

    seen: list[str] = []
    before: str | None = None
    while len(seen) < 3:
        query = {"limit": "1", "state": "succeeded", "kind": "build"} | ({"before": before} if before else {})
        page = api.http.get("/v1/jobs", params=query).json()
        seen += [job["id"] for job in page["jobs"]]
        before = page["next"]

    assert seen == made[::-1]


def test_worker_describes_itself_and_its_daemon(api: HttpApi, dockerd: Dockerd) -> None:
    workers = api.http.get("/v1/workers").json()["workers"]

    assert [(w["name"], w["state"], w["capacity"]) for w in workers] == [("local-1", "ready", 2)]
    assert workers[0]["daemon_version"] == dockerd.docker("version", "-f", "{{.Server.Version}}").stdout.strip()
    assert workers[0]["platform"] == "linux/amd64"
    assert time.time() - workers[0]["last_seen"] < 10
