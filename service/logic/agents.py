"""Hands a job's questions for ssh agents to its client, and the answers back."""

from __future__ import annotations

from service.logic import jobs
from service.process import Process
from shipway.exceptions import Conflict, NotFound
from shipway.models.agent import AgentAnswer, AgentRequest
from shipway.models.spec import BuildSpec
from shipway.storage.redis import reaching_redis


async def asked(process: Process, project: str, job_id: str, after: str) -> tuple[AgentRequest, ...]:
    """Wait some seconds for what steps ask.

    Raises:
        NotFound: there is no such job, or its client forwards no agent.
        Conflict: the job has ended.
    """
    await _require(process, project, job_id)
    async with reaching_redis():
        return await process.agents.asked(job_id, after)


async def answer(process: Process, project: str, job_id: str, number: str, given: AgentAnswer) -> None:
    """Pass on what an agent answered.

    Raises:
        NotFound: there is no such job, its client forwards no agent, or nothing waits under this number.
        Conflict: the job has ended.
    """
    await _require(process, project, job_id)
    async with reaching_redis():
        if not await process.agents.reply(job_id, number, given.raw):
            raise NotFound("nobody waits for this answer", slug="ssh-request-unknown", field="number")


async def _require(process: Process, project: str, job_id: str) -> None:
    job = await jobs.find(process, project, job_id)
    if not isinstance(job.spec, BuildSpec) or not job.spec.agents:
        raise NotFound("this job uses no ssh agent of its client", slug="ssh-agent-unknown", field="id")
    if job.state.final:
        raise Conflict("the job has ended", slug="job-ended", field="id")
