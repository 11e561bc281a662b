"""A project that has something of everything, and its neighbour that has nothing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from deploy.local.registry import Registry
from deploy.local.stack import Stack
from shipway.models.job import Job
from tests.integration.contexts import once, script, tar_of
from tests.integration.http_api import TAR, HttpApi, made

SCOPES = ["read", "build", "push", "images"]


@dataclass
class Owner:
    """A project with something of everything, and its neighbour that has nothing."""

    api: HttpApi
    neighbour: HttpApi
    job: Job
    own: dict[str, str]
    word: str


@contextmanager
def neighbours(stack: Stack, locked_registry: Registry) -> Iterator[Owner]:
    """Two projects on a stack; the first keeps a login for a registry."""
    word = once()
    with ExitStack() as exits:
        admin = exits.enter_context(HttpApi(stack.service.url, stack.token))
        projects = [f"{name}-{word[:8].lower()}" for name in ("owner", "neighbour")]
        one, two = (
            exits.enter_context(HttpApi(admin.url, made(admin, project=project, scopes=SCOPES)["token"]))
            for project in projects
        )
        files = script("FROM scratch", f"LABEL word={word}", "COPY a /a") | {"a": word.encode()}
        job = one.succeed(files, tags=[f"isolated/{word}:1", f"isolated/{word}:2"])
        saved = one.http.post("/v1/saves", json={"images": [job.result.image_id]})
        assert saved.status_code == 202, saved.text
        archived = one.wait(saved.json()["id"])
        assert archived.result.artifact is not None, archived.error
        artifact = one.http.post("/v1/artifacts", content=tar_of({"a": word.encode()}), headers=TAR).json()["artifact"]
        own = {
            "job": archived.id,
            "image": str(job.result.image_id),
            "context": one.upload(files),
            "artifact": artifact,
            "registry": locked_registry.address,
        }
        login = {"username": "ada", "password": "byron"}
        one.http.put(f"/v1/registries/{own['registry']}", json=login).raise_for_status()
        yield Owner(one, two, job, own, word)
