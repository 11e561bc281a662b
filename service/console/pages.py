"""The pages of the console and the buttons on them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated
from urllib.parse import parse_qs

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse
from fastapi.staticfiles import StaticFiles
from pydantic import BeforeValidator

from service import session
from service.console.charts import charts, when
from service.console.rendering import page
from service.console.route import Page
from service.console.waterfall import waterfall
from service.handlers.parameters import Admin, Builder, JobId, OnProcess, Reader
from service.logic import fleet, jobs
from service.logic.access import identify
from service.logic.comparison import compare
from service.logic.excerpts import excerpt
from service.logic.trends import Span, trends
from shipway.exceptions import Conflict, Unauthorized
from shipway.models.credentials import Credentials
from shipway.models.job import JobState
from shipway.models.spec import BuildSpec, Kind

router = APIRouter(route_class=Page, include_in_schema=False, default_response_class=HTMLResponse)
static = StaticFiles(directory=Path(__file__).parent / "static")

BLANK = BeforeValidator(lambda value: value or None)
"""A form sends a field that was left blank as well."""
PAGE = 50
"""Jobs on one page."""


@router.get("/")
async def show_builds(
    process: OnProcess,
    caller: Reader,
    state: Annotated[JobState | None, BLANK] = None,
    kind: Annotated[Kind | None, BLANK] = None,
    text: Annotated[str, Query(max_length=256)] = "",
    before: Annotated[str | None, Query(max_length=64)] = None,
) -> HTMLResponse:
    found, following = await jobs.page(
        process, caller.project, state=state, kind=kind, text=text, before=before, limit=PAGE
    )
    return page(
        "builds.html",
        project=caller.project,
        jobs=found,
        following=following,
        state=state,
        kind=kind,
        text=text,
        before=before,
        states=list(JobState),
        kinds=list(Kind),
    )


@router.get("/login")
async def show_login() -> HTMLResponse:
    return page("login.html", error=None)


@router.post("/login")
async def login(request: Request, process: OnProcess) -> Response:
    session.check_origin(request.headers)
    sent = parse_qs((await request.body()).decode(errors="replace"), max_num_fields=1)
    token = sent.get("token", [""])[0].strip()
    try:
        await identify(process, token)
    except Unauthorized as error:
        return page("login.html", error.status, error=error)
    return session.begin(token, secure=request.url.scheme == "https")


@router.post("/logout")
async def logout() -> Response:
    answer = _to("/login")
    answer.delete_cookie(session.COOKIE)
    return answer


@router.get("/jobs/{id}")
async def show_job(id: JobId, process: OnProcess, caller: Reader) -> HTMLResponse:  # noqa: A002  (the route's own word)
    job = await jobs.find(process, caller.project, id)
    ended = job.state.final
    return page(
        "job.html",
        project=caller.project,
        job=job,
        waterfall=waterfall(job),
        excerpt=await excerpt(process, job) if ended else None,
        comparison=await compare(process, job) if ended else None,
    )


@router.post("/jobs/{id}/cancel")
async def cancel(id: JobId, process: OnProcess, caller: Builder) -> RedirectResponse:  # noqa: A002
    await jobs.cancel(process, caller, id)
    return _to(f"/jobs/{id}")


@router.post("/jobs/{id}/rebuild")
async def rebuild(id: JobId, process: OnProcess, caller: Builder) -> RedirectResponse:  # noqa: A002
    job = await jobs.find(process, caller.project, id)
    if not isinstance(job.spec, BuildSpec) or job.spec.secrets:
        raise Conflict(
            "only a build without secrets can be started again from here: secrets end with their job. "
            "Start it again from where it came.",
            slug="rebuild-impossible",
        )
    again = await jobs.submit(process, caller, job.spec, Credentials())
    return _to(f"/jobs/{again.id}")


@router.get("/workers")
async def show_workers(process: OnProcess, caller: Reader) -> HTMLResponse:
    workers = await fleet.workers_of(process, caller)
    return page("workers.html", project=caller.project, workers=workers, queued=await fleet.queued(process))


@router.post("/workers/{name}/drain")
async def drain(name: str, process: OnProcess, caller: Admin) -> RedirectResponse:
    await fleet.drain(process, caller, name, on=True)
    return _to("/workers")


@router.post("/workers/{name}/resume")
async def resume(name: str, process: OnProcess, caller: Admin) -> RedirectResponse:
    await fleet.drain(process, caller, name, on=False)
    return _to("/workers")


@router.get("/trends")
async def show_trends(process: OnProcess, caller: Reader, span: Span = "day") -> HTMLResponse:
    counted = await trends(process, caller.project, span)
    return page(
        "trends.html", project=caller.project, trends=counted, charts=charts(counted, span), span=span, when=when
    )


def _to(path: str) -> RedirectResponse:
    """After a form, so that a reload does not send it again."""
    return RedirectResponse(path, status_code=303)
