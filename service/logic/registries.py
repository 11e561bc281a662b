"""The registry logins that a project keeps here, so that its jobs need bring none."""

from __future__ import annotations

from service.logic import audit, fleet, jobs
from service.logic.images import LIMIT
from service.process import Process
from shipway.exceptions import InvalidRequest, NotFound, Unavailable
from shipway.models.credentials import Credentials, RegistryLogin
from shipway.models.job import JobState
from shipway.models.spec import LoginSpec
from shipway.models.token import Caller
from shipway.storage.redis import reaching_redis


async def log_in(process: Process, caller: Caller, registry: str, login: RegistryLogin) -> list[str]:
    """Have a worker try a login, then keep it; returns all registries with one.

    Raises:
        InvalidRequest: the registry does not take it (`registry-denied`), or can't be reached by that name.
        NotFound: there is no worker to try it.
        Unavailable: no worker came to it in time.
    """
    await fleet.living(process, caller)
    spec = LoginSpec(registry=registry, priority=0, timeout=60)
    job = await jobs.submit(process, caller, spec, Credentials(registries={registry: login}))
    done = await jobs.finished(process, caller, job.id, LIMIT)
    if done.state is not JobState.SUCCEEDED:
        if done.error is None:
            raise Unavailable(f"job {done.id} was {done.state}; the login was not tried", slug="login-untried")
        raise InvalidRequest(done.error.message, slug=done.error.slug, field="registry")
    async with reaching_redis():
        await process.logins.put(caller.project, registry, login)
    await audit.note(process, caller, "registry.login", registry)
    return await registries(process, caller.project)


async def log_out(process: Process, caller: Caller, registry: str) -> list[str]:
    """Forget a login; returns the registries that still have one.

    Raises:
        NotFound: there is none.
    """
    async with reaching_redis():
        if not await process.logins.remove(caller.project, registry):
            raise NotFound(f"there is no login for {registry}", slug="login-unknown", field="registry")
    await audit.note(process, caller, "registry.logout", registry)
    return await registries(process, caller.project)


async def registries(process: Process, project: str) -> list[str]:
    """List the registries that a project has a login for.

    Raises:
        Unavailable: Redis is away.
    """
    async with reaching_redis():
        return await process.logins.registries(project)
