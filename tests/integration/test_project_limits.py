"""What one project may use by the operator's word, while all others may what is set for all."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from deploy.local.redis import RedisServer
from deploy.local.servers import Service, Shared
from deploy.local.stack import Stack
from tests.integration.contexts import once, script, tar_of
from tests.integration.extra_worker import extra_worker
from tests.integration.http_api import TAR, HttpApi, made, refusal
from tests.support.source_server import SourceServer

TIGHT = {
    "max_queued": 1,
    "max_timeout": 60,
    "max_webhooks": 0,
    "max_stored_bytes": 100_000,
    "max_context_bytes": 20_000,
    "max_context_entries": 3,
    "max_artifact_bytes": 30_000,
}
HASTY = {"max_requests": 0.5}
LOG = 1000


@contextmanager
def of_project(admin: HttpApi, project: str) -> Iterator[HttpApi]:
    """The API as a project of this name sees it."""
    with HttpApi(admin.url, made(admin, project=project, scopes=["admin", "read", "build", "images"])["token"]) as api:
        yield api


@pytest.fixture(scope="module")
def common(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HttpApi]:
    """A service with single limits for two projects, and no worker: what it accepts stays queued."""
    folder = tmp_path_factory.mktemp("limits")
    with RedisServer(folder / "redis") as server:
        extra = {"SHIPWAY_PROJECT_LIMITS": json.dumps({"tight": TIGHT, "hasty": HASTY})}
        service = Service(Shared(server.url, folder / "store", "A" * 43 + "=", extra), folder)
        service.start()
        with HttpApi(service.url, service.token) as api:
            yield api
        service.stop()


@pytest.fixture(scope="module")
def tight(common: HttpApi) -> Iterator[HttpApi]:
    with of_project(common, "tight") as api:
        yield api


@pytest.mark.engine_independent
@pytest.mark.parametrize(
    ("path", "files", "slug"),
    [
        ("contexts", {"a": bytes(30_000)}, "context-too-large"),
        ("contexts", dict.fromkeys("abcd", b""), "context-too-many-entries"),
        ("artifacts", {"a": bytes(40_000)}, "artifact-too-large"),
    ],
)
def test_upload_beyond_its_projects_limit_is_refused(
    common: HttpApi, tight: HttpApi, path: str, files: dict[str, bytes], slug: str
) -> None:
    def sent(api: HttpApi) -> httpx.Response:
        return api.http.post(f"/v1/{path}", content=tar_of(files), headers=TAR)

    assert refusal(sent(tight)) == (413, slug)
    assert sent(common).status_code == 201


@pytest.mark.engine_independent
def test_time_and_place_in_the_queue_beyond_its_projects_limits_are_refused(common: HttpApi, tight: HttpApi) -> None:
    context = script("FROM base", f"RUN echo {once()}")
    late = [api.ask(context, timeout=61) for api in (common, tight)]
    first, second = (tight.ask(context, timeout=60) for _ in range(2))

    assert late[0].status_code == 202
    assert refusal(late[1]) == (422, "timeout-too-long")
    assert first.status_code == 202
    assert refusal(second) == (429, "too-many-jobs")
    assert common.ask(context).status_code == 202


@pytest.mark.engine_independent
def test_bytes_and_webhooks_beyond_its_projects_limits_are_refused(common: HttpApi, tight: HttpApi) -> None:
    def stored(api: HttpApi) -> list[httpx.Response]:
        return [api.http.post("/v1/artifacts", content=tar_of({"a": bytes(18_000)}), headers=TAR) for _ in range(6)]

    webhook = {"url": "https://example.com/hook"}

    assert refusal(stored(tight)[-1]) == (413, "storage-full")
    assert stored(common)[-1].status_code == 201
    assert refusal(tight.http.post("/v1/webhooks", json=webhook)) == (409, "webhooks-full")
    assert common.http.post("/v1/webhooks", json=webhook).status_code == 201


@pytest.mark.engine_independent
def test_requests_beyond_its_projects_pace_are_told_to_wait(common: HttpApi) -> None:
    with of_project(common, "hasty") as hasty:
        answers = [hasty.http.get("/v1/jobs") for _ in range(4)]

    assert [answer.status_code for answer in answers] == [200, 200, 429, 429]
    assert "0.5 requests per second" in answers[-1].json()["error"]["message"]
    assert {common.http.get("/v1/jobs").status_code for _ in range(4)} == {200}


@pytest.fixture(scope="module")
def terse(stack: Stack) -> Iterator[HttpApi]:
    """A project that may write and fetch little, and a worker that knows."""
    extra = {"SHIPWAY_PROJECT_LIMITS": json.dumps({"terse": {"max_log_bytes": LOG, "max_artifact_bytes": 30_000}})}
    with (
        extra_worker(stack, "terse", settings=extra),
        HttpApi(stack.service.url, stack.token) as admin,
        of_project(admin, "terse") as api,
    ):
        yield api


def test_log_beyond_its_projects_limit_is_left_out_and_says_so(terse: HttpApi, api: HttpApi) -> None:
    loud = script("FROM base", f"RUN seq 5000; echo the end # {once()}")
    cut, whole = terse.succeed(loud, worker="terse"), api.succeed(loud, worker="terse", no_cache=True)
    told = [getattr(event.body, "message", "") for event in terse.events(cut.id)]
    words = terse.log(cut.id)

    assert len(words) < LOG + 1000
    assert "the end\n" not in words
    assert "the log has reached its limit; the rest is left out" in told
    assert "the end\n" in api.log(whole.id)


def test_archive_at_a_url_beyond_its_projects_limit_is_not_imported(
    terse: HttpApi, api: HttpApi, tmp_path: Path
) -> None:
    (tmp_path / "a.tar").write_bytes(tar_of({"a": bytes(40_000)}))
    with SourceServer(tmp_path) as server:
        asked = {"remote": f"{server.url}/a.tar", "worker": "terse"}
        refused, taken = (one.wait(one.http.post("/v1/imports", json=asked).json()["id"]) for one in (terse, api))

    assert refused.error is not None
    assert (refused.error.slug, refused.attempt) == ("artifact-too-large", 1)
    assert taken.error is None
