"""`make up`: everything in the foreground as one process tree, until Ctrl-C or until a part dies."""

from __future__ import annotations

import fcntl
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn

from platformdirs import user_data_path

from deploy.local import base_image
from deploy.local.docker_api import DEFAULT_HOST, DockerAPI
from deploy.local.engine import engine
from deploy.local.ports import is_free
from deploy.local.processes import PartError
from deploy.local.signals import Stopped, ignore_signals, raise_on_signals
from deploy.local.stack import Plan, Stack
from shipway.client.config import save_token, save_url, service_token, tokens_path

DEFAULT_PORT = 8470


def up() -> int:
    """Run the stack until it is told to stop; return the exit code: 0 after a signal, 1 if something failed."""
    try:
        raise_on_signals()
        state, port = _state(), _port()
        with _only_one(state), Stack(_plan(state, port)) as stack:
            _announce(stack)
            _watch(stack)
    except Stopped:
        print("shipway: stopped", flush=True)
        return 0
    except PartError as error:
        print(f"shipway: {error}", file=sys.stderr, flush=True)
        return 1


def _plan(state: Path, port: int) -> Plan:
    docker_host = os.environ.get("DOCKER_HOST") or DEFAULT_HOST
    reachable = DockerAPI(docker_host).ping()
    if not reachable:
        print(f"shipway: no Docker daemon at {docker_host}: starting a private one", flush=True)
    return Plan(
        state,
        docker_host=docker_host if reachable else None,
        engine=engine(os.environ.get("SHIPWAY_ENGINE", "")),
        registry=not reachable,
        port=port,
    )


def _announce(stack: Stack) -> None:
    url = stack.service.url
    config = save_url(url)
    new = service_token(url) != stack.token
    if new:
        save_token(url, stack.token)
    name = "hello:1"
    print("\nShipway is up; Ctrl-C stops it.")
    print(f"  service   {url}  (clients find it by {config})")
    if new:
        print(f"  token     {stack.token}  (all scopes; not shown again; clients find it by {tokens_path()})")
    if stack.registry is not None:
        name = f"{stack.registry.address}/{name}"
        print(f"  registry  {stack.registry.address}")
    if stack.dockerd is not None:
        base_image.make(stack.dockerd.api)
        print(f"  daemon    private, with a base image {base_image.REFERENCE}: DOCKER_HOST={stack.docker_host}")
    else:
        print(f"  daemon    {stack.docker_host}")
    print(f"  state     {stack.plan.state}")
    push = " --push" if stack.registry else ""
    print(f"  try       .venv/bin/shipway build examples/hello -t {name}{push}\n", flush=True)


def _watch(stack: Stack) -> NoReturn:
    """Look at every process twice a second; raise PartError when one has ended."""
    while True:
        child = stack.dead()
        if child is not None:
            ignore_signals()  # the others are stopped in peace
            raise PartError(child.report("ended unexpectedly"))
        time.sleep(0.5)


def _state() -> Path:
    given = os.environ.get("SHIPWAY_STATE")
    state = Path(given).expanduser().resolve() if given else user_data_path("shipway")
    state.mkdir(mode=0o700, parents=True, exist_ok=True)
    return state


def _port() -> int:
    given = os.environ.get("SHIPWAY_PORT") or str(DEFAULT_PORT)
    if not given.isdigit() or not 0 < int(given) < 2**16:
        raise PartError(f"SHIPWAY_PORT is {given!r}; it must be a number from 1 to 65535")
    if not is_free(int(given)):
        raise PartError(
            f"port {given} is taken, perhaps by another Shipway; choose another one: SHIPWAY_PORT=… make up"
        )
    return int(given)


@contextmanager
def _only_one(state: Path) -> Iterator[None]:
    with (state / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise PartError(
                f"another Shipway uses {state}; stop it or choose another folder by SHIPWAY_STATE"
            ) from None
        yield
