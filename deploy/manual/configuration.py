"""The page about settings, from the classes that read them."""

from __future__ import annotations

from collections.abc import Iterator

from pydantic import SecretStr
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from deploy.manual.markdown import GENERATED, code, prose, table
from shipway.limits import ProjectLimits
from shipway.settings import Settings
from workers.settings import WorkerSettings

PREFIX = "SHIPWAY_"
INTRODUCTION = """
# Configuration

Settings are read from the environment, once, when a process starts; a value that can't be read stops it with
a message that names the setting. Sizes are bytes, times are seconds.
"""
SHARED = "What service and workers must agree upon: give all of them the same."
LIMITS = "For service and workers as well. `SHIPWAY_PROJECT_LIMITS` gives single projects others."
OF_WORKERS = "Each worker's own."
ELSEWHERE = {
    "The command and the SDK": {
        "SHIPWAY_URL": "URL of the service; goes before what `shipway login` left in the configuration file",
        "SHIPWAY_TOKEN": "the token; goes before what `shipway login` left",
        "SHIPWAY_AUDIENCE": "in GitHub Actions, where there is no token: whom to ask GitHub for one for",
        "DOCKER_CONFIG": "folder of Docker's `config.json`, whose logins are sent for the registries that a job names",
    },
    "`make up`, `make demo` and `make screenshots`": {
        "SHIPWAY_PORT": "port of the service; 8470 when empty",
        "SHIPWAY_STATE": "where Redis, contexts and the private daemon keep their files",
        "SHIPWAY_ENGINE": "28 for the private daemon to be the one that `make engine28` fetched",
        "DOCKER_HOST": "the daemon to build with; a private one is started where none answers",
    },
    "Tests": {
        "SHIPWAY_TEST_ENGINE": "28 runs them on the Docker Engine that `make engine28` fetched",
        "SHIPWAY_TEST_REDIS": "program to run the tests under faults on, in place of `redis-server`",
        "SHIPWAY_FUZZ_INPUTS": "hostile inputs for each reader; 100 when empty",
        "SHIPWAY_CHAOS_LONG": "any value: faults last longer, for measuring recovery",
        "SHIPWAY_CHAOS_SEED": "number that makes the random faults of a run happen again",
        "SHIPWAY_CHAOS_TIMES": "file to add the seconds of each recovery to",
    },
}


def page() -> str:
    """Every setting: of the servers from their classes, of the rest from the table above."""
    head = ["setting", "default", "meaning"]
    own = {name: field for name, field in WorkerSettings.model_fields.items() if name not in Settings.model_fields}
    limits = dict(ProjectLimits.model_fields)
    shared = {name: field for name, field in Settings.model_fields.items() if name not in limits}
    servers = {
        "Service and workers": (SHARED, shared),
        "Limits of each project": (LIMITS, limits),
        "Workers": (OF_WORKERS, own),
    }
    text = GENERATED + INTRODUCTION
    for title, (lead, fields) in servers.items():
        text += f"\n## {title}\n\n{lead}\n\n{table(head, _rows(fields))}"
    for title, names in ELSEWHERE.items():
        rows = ([code(name), prose(told)] for name, told in names.items())
        text += f"\n## {title}\n\n{table(['variable', 'meaning'], rows)}"
    return text


def _rows(fields: dict[str, FieldInfo]) -> Iterator[list[str]]:
    for name, field in fields.items():
        yield [code(PREFIX + name.upper()), _default(field), prose(field.description or "")]


def _default(field: FieldInfo) -> str:
    if field.default is PydanticUndefined:
        return "the machine's name" if field.default_factory is not None else "none: it must be set"
    value = field.default.get_secret_value() if isinstance(field.default, SecretStr) else field.default
    if isinstance(value, int | float):
        return f"{value:,}" if value > 2**20 else f"{value:.15g}"
    return code(str(value)) if value not in (None, "") else ""
