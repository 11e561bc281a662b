"""Every Redis key: its name, type, owner and lifetime. No other file spells a key.

| key | type | what | lifetime |
| --- | --- | --- | --- |
| `shipway:job:{id}` | hash | the record of one job | retention, renewed at each transition |
| `shipway:job:{id}:events` | stream | its events; entry `N-0` is event number N | as the record |
| `shipway:job:{id}:credentials` | string | sealed secrets and registry logins | deleted when the job ends |
| `shipway:job:{id}:agent` | stream | what steps ask ssh agents of the client, sealed | 2 minutes |
| `shipway:job:{id}:agent:attended` | string | that a client answers for its agents | 12 s |
| `shipway:job:{id}:agent:{number}` | list | an agent's answer, sealed | 2 minutes |
| `shipway:job:{id}:waiting` | set | ids of queued jobs that wait until this one stops running | as the record |
| `shipway:logins:{project}` | hash | sealed registry logins of a project, by registry | persistent |
| `shipway:jobs:{project}` | sorted set | ids of a project's jobs by creation (ms) | past retention, ids are dropped |
| `shipway:queued` | sorted set | ids of queued jobs by when they are due to be (re)sent (ms) | persistent |
| `shipway:queue:{queue}` | set | projects that have jobs in a queue which could be taken now | persistent |
| `shipway:queue:{queue}:{project}` | sorted set | ids of these jobs by priority, then age | persistent |
| `shipway:turns` | hash | at which turn each project was served last; field `` counts the turns | persistent |
| `shipway:project:{project}:queued` | sorted set | ids of a project's queued jobs by priority, then age | persistent |
| `shipway:project:{project}:running` | set | ids of its running jobs | persistent |
| `shipway:project:{project}:stored` | hash | bytes by path in the store, `` the sum; `-` goes now | persistent |
| `shipway:project:{project}:pace` | string | when a project's requests are used up (ms) | seconds |
| `shipway:running` | sorted set | ids of running jobs by when their lease ends (ms) | persistent |
| `shipway:workers` | set | names of workers seen | persistent |
| `shipway:draining` | set | names of workers that were asked to take no more jobs | persistent |
| `shipway:worker:{name}` | string | what a worker says of itself | 3 heartbeats |
| `shipway:worker:{name}:jobs` | set | ids of the jobs that it runs | persistent |
| `shipway:worker:{name}:images` | hash | images that its daemon has, by id | 1 day |
| `shipway:worker:{name}:own` | sorted set | ids of images that its jobs made or brought, by last use (s) | 30 days |
| `shipway:images:{project}` | sorted set | ids of images that a project made or brought, by when (s) | persistent |
| `shipway:expiring` | sorted set | paths in the object store by when they may go (s) | persistent |
| `shipway:idempotency:{project}:{key}` | string | the job made for an Idempotency-Key | 1 day |
| `shipway:answer:{project}:{question}` | string | the newest job that answered a build | retention |
| `shipway:answer:{project}:{image}:{name}` | string | the digest by which an image was pushed | retention |
| `shipway:flight:{project}:{question}` | string | the job that runs a build, or ran it last | retention |
| `shipway:lineage:{project}:{digest}` | string | worker and name of the last pushed image of a lineage | retention |
| `shipway:lineage:{project}:{digest}:steps` | hash | seconds that its steps took when they last ran | retention |
| `shipway:steps:{project}:{digest}` | sorted set | worker and step of its newest steps, by when (s) | retention |
| `shipway:trend:{project}:{hour}` | hash | counts of the builds that ended in one hour since the epoch | 31 days |
| `shipway:reaper` | string | which worker is the reaper just now | 5 s |
| `shipway:token:{id}` | string | a token's rights and the hash of its secret | a week past its end, if it has one |
| `shipway:tokens` | sorted set | ids of tokens by when they were last used (s) | persistent |
| `shipway:trust` | hash | rules of trust in other issuers, by id | persistent |
| `shipway:webhooks` | hash | the project of each webhook | persistent |
| `shipway:webhooks:{project}` | hash | webhooks of a project with their sealed secrets, by id | persistent |
| `shipway:deliveries` | sorted set | ids of webhooks by when something is due to them (ms) | persistent |
| `shipway:webhook:{id}:due` | sorted set | ids of jobs to tell a webhook of by when (ms); the newest 1000 | retention |
| `shipway:webhook:{id}:taken` | string | that a worker delivers to it just now | 30 s |
| `shipway:webhook:{id}:log` | hash | what became of its newest 1000 messages, by id | retention |
| `shipway:audit` | stream | who changed what; the newest 100,000 entries | persistent |

Celery's own keys (its queues and bindings) have their lifetime from Celery.
"""

from __future__ import annotations

PREFIX = "shipway:"
QUEUED = "shipway:queued"
RUNNING = "shipway:running"
WORKERS = "shipway:workers"
REAPER = "shipway:reaper"
EXPIRING = "shipway:expiring"
DRAINING = "shipway:draining"
TOKENS = "shipway:tokens"
TRUST = "shipway:trust"
AUDIT = "shipway:audit"
TURNS = "shipway:turns"
WEBHOOKS = "shipway:webhooks"
DELIVERIES = "shipway:deliveries"
QUEUE = "shipway:queue:"
PROJECT = "shipway:project:"
WEBHOOK = "shipway:webhook:"

PERSISTENT = (
    *(QUEUED, RUNNING, WORKERS, EXPIRING, DRAINING, TURNS, TOKENS, TRUST, AUDIT, WEBHOOKS, DELIVERIES),
    *("shipway:worker:*:jobs", "shipway:jobs:*", "shipway:images:*", "shipway:token:*", "shipway:logins:*"),
    f"{WEBHOOKS}:*",
    *(f"{QUEUE}*", f"{PROJECT}*:queued", f"{PROJECT}*:running", f"{PROJECT}*:stored"),
)
"""Patterns of the keys that carry no TTL; a test fails on any other key without one."""


def job(job_id: str) -> str:
    return f"shipway:job:{job_id}"


def events(job_id: str) -> str:
    return f"shipway:job:{job_id}:events"


def credentials(job_id: str) -> str:
    return f"shipway:job:{job_id}:credentials"


def agent(job_id: str) -> str:
    return f"shipway:job:{job_id}:agent"


def agent_attended(job_id: str) -> str:
    return f"shipway:job:{job_id}:agent:attended"


def agent_answer(job_id: str, number: str) -> str:
    return f"shipway:job:{job_id}:agent:{number}"


def waiting(job_id: str) -> str:
    return f"shipway:job:{job_id}:waiting"


def jobs(project: str) -> str:
    return f"shipway:jobs:{project}"


def logins(project: str) -> str:
    return f"shipway:logins:{project}"


def worker(name: str) -> str:
    return f"shipway:worker:{name}"


def worker_jobs(name: str) -> str:
    return f"shipway:worker:{name}:jobs"


def worker_images(name: str) -> str:
    return f"shipway:worker:{name}:images"


def worker_told(name: str) -> str:
    return f"shipway:worker:{name}:told"


def worker_own(name: str) -> str:
    return f"shipway:worker:{name}:own"


def images(project: str) -> str:
    return f"shipway:images:{project}"


def idempotency(project: str, key: str) -> str:
    return f"shipway:idempotency:{project}:{key}"


def token(token_id: str) -> str:
    return f"shipway:token:{token_id}"


def queued(project: str) -> str:
    return f"{PROJECT}{project}:queued"


def running(project: str) -> str:
    return f"{PROJECT}{project}:running"


def stored(project: str) -> str:
    return f"{PROJECT}{project}:stored"


def crowded(project: str) -> str:
    return f"{PROJECT}{project}:crowded"


def pace(project: str) -> str:
    return f"{PROJECT}{project}:pace"


def answer(project: str, question: str) -> str:
    return f"shipway:answer:{project}:{question}"


def pushed(project: str, image: str, name: str) -> str:
    return f"shipway:answer:{project}:{image}:{name}"


def flight(project: str, question: str) -> str:
    return f"shipway:flight:{project}:{question}"


def lineage(project: str, digest: str) -> str:
    return f"shipway:lineage:{project}:{digest}"


def lineage_steps(project: str, digest: str) -> str:
    return f"{lineage(project, digest)}:steps"


def steps(project: str, digest: str) -> str:
    return f"shipway:steps:{project}:{digest}"


def trend(project: str, hour: int) -> str:
    return f"shipway:trend:{project}:{hour}"


def webhooks(project: str) -> str:
    return f"{WEBHOOKS}:{project}"


def webhook_due(webhook_id: str) -> str:
    return f"{WEBHOOK}{webhook_id}:due"


def webhook_log(webhook_id: str) -> str:
    return f"{WEBHOOK}{webhook_id}:log"
