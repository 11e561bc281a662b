"""`make screenshots`: the console's pages, photographed in Chromium while real builds run, into docs/screenshots/.

The days before in the trends are counted from made-up builds; everything else that is seen was really built.
"""

from __future__ import annotations

import asyncio
import os
import random
import shutil
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypedDict, Unpack

from playwright.sync_api import Browser, Page, sync_playwright

from deploy.local import base_image
from deploy.local.engine import REPOSITORY, engine
from deploy.local.processes import PartError
from deploy.local.signals import Stopped, raise_on_signals
from deploy.local.stack import Plan, Stack
from service import session
from shipway.client import Client
from shipway.models.event import StepStatus
from shipway.models.job import Job
from shipway.storage.redis import connect
from shipway.storage.trends import TrendLog

CHROMIUM = shutil.which("chromium")
SHOTS = REPOSITORY / "docs" / "screenshots"
WIDE, PHONE = (1280, 860), (390, 844)
_DOCKERFILE = """\
FROM base AS build
WORKDIR /src
COPY requirements.txt .
RUN {install}
COPY shop shop
RUN {compile}

FROM base
ARG VERSION=dev
LABEL org.opencontainers.image.version=$VERSION
COPY --from=build /src /app
RUN {check}
CMD ["/app/shop/serve"]
"""
_INSTALL = (
    "for p in anyio click fastapi h11 httpx jinja2 pydantic starlette uvicorn; do "
    'sleep 0.15; printf "\\033[32mCollecting\\033[0m %s\\n" $p; done; '
    'printf "\\033[1mSuccessfully installed 9 packages\\033[0m\\n"'
)
_COMPILE = "for f in $(ls shop); do sleep 0.3; echo compiling shop/$f; done"
_CHECK = "sleep 0.6; echo 214 passed"
_FAULT = (
    "echo checking shop/cart.py; sleep 0.5; "
    'printf "\\033[31mshop/cart.py:48: error:\\033[0m Incompatible return value (got None)\\n"; exit 1'
)
_LONG = (
    'n=0; while [ $n -lt 400 ]; do n=$((n+1)); printf "\\033[36mtest_%03d\\033[0m shop/tests ... '
    '\\033[32mok\\033[0m\\n" $n; sleep 0.12; done'
)


class _Options(TypedDict, total=False):
    tags: list[str]
    push: bool
    build_args: Mapping[str, str]
    worker: str


@dataclass(frozen=True, slots=True)
class Scene:
    """The builds that the pages are about."""

    running: Job
    failed: Job
    rebuilt: Job


def take() -> int:
    """Photograph every page in light and dark; returns the exit code."""
    raise_on_signals()
    with tempfile.TemporaryDirectory(prefix="shipway-screenshots-") as folder:
        try:
            plan = Plan(Path(folder) / "state", engine=engine(os.environ.get("SHIPWAY_ENGINE", "")), workers=0)
            with Stack(plan) as stack:
                for name in ("harbour-1", "harbour-2"):
                    stack.add_worker(name)
                with Client(stack.service.url, token=stack.token) as client:
                    scene = _builds(stack, client, Path(folder) / "shop")
                    asyncio.run(_past(stack, scene.rebuilt))
                    _photograph(stack, scene)
                    client.cancel(scene.running.id)
                    client.wait(scene.running.id)
        except PartError as error:
            print(f"screenshots: {error}", file=sys.stderr)
            return 1
        except Stopped:
            return 130  # as after Ctrl-C
    return 0


def _builds(stack: Stack, client: Client, folder: Path) -> Scene:
    if stack.dockerd is None or stack.registry is None:
        raise PartError("the screenshots need their own daemon and registry")
    base_image.make(stack.dockerd.api)
    name = f"{stack.registry.address}/shop"
    for number, module in enumerate(("cart", "checkout", "orders", "prices", "serve", "stock")):
        _write(folder / "shop" / module, f"module {number}\n" * 2000)
    _write(folder / "requirements.txt", "fastapi\nuvicorn\n")

    def build(tag: str, check: str = _CHECK, **options: Unpack[_Options]) -> Job:
        _write(folder / "Dockerfile", _DOCKERFILE.format(install=_INSTALL, compile=_COMPILE, check=check))
        options = {"tags": [f"{name}:{tag}"], "worker": "harbour-1", **options}
        return client.submit(client.upload_for_build(folder, **options))

    client.wait(build("1.4.0", push=True, build_args={"VERSION": "1.4.0"}).id)
    client.wait(build("1.4.0", push=True, build_args={"VERSION": "1.4.0"}).id)
    _write(folder / "shop" / "cart", "changed\n")
    _write(folder / "shop" / "refunds", "new\n")
    rebuilt = client.wait(
        build("1.5.0", push=True, build_args={"VERSION": "1.5.0"}, tags=[f"{name}:1.5.0", f"{name}:latest"]).id
    )
    failed = client.wait(build("1.5.1", _FAULT).id)
    given_up = build("nightly", _LONG, worker="harbour-2")
    client.wait(build("1.5.2", build_args={"VERSION": "1.5.2"}, worker="harbour-2").id)
    client.cancel(given_up.id)
    client.wait(given_up.id)
    running = build("1.6.0-rc1", _LONG, push=True)
    build("tests", _LONG, worker="harbour-1")
    build("docs", worker="harbour-1", tags=[f"{name}-docs:latest"])
    return Scene(running, failed, rebuilt)


def _write(file: Path, text: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)


async def _past(stack: Stack, like: Job) -> None:
    """Count a month of made-up builds that are like a real one."""
    redis, chance = connect(stack.redis.url), random.Random(7)  # the same month each time
    trends, now = TrendLog(redis), time.time()
    for hour in range(1, 24 * 29):
        weekday, of_day = int(now / 86_400 - hour / 24) % 7, int(now / 3600 - hour) % 24
        busy = 6 if 7 <= of_day < 19 and weekday < 5 else 1  # noqa: PLR2004 - working hours
        for _ in range(chance.randrange(busy)):
            await trends.count(_made_up(like, chance, now - hour * 3600))
    await redis.aclose()


def _made_up(like: Job, chance: random.Random, finished: float) -> Job:
    cached = chance.betavariate(5, 2)
    steps = tuple(
        step.model_copy(update={"status": StepStatus.CACHED if chance.random() < cached else StepStatus.EXECUTED})
        for step in like.steps
    )
    started = finished - chance.lognormvariate(3.2, 0.7) * (1.6 - cached)
    return like.model_copy(
        update={
            "steps": steps,
            "error": like.error,
            "timings": like.timings.model_copy(
                update={
                    "created": started - chance.lognormvariate(-1.5, 1.2),
                    "started": started,
                    "finished": finished,
                }
            ),
            "result": like.result.model_copy(update={"context_spared": int(chance.lognormvariate(17, 0.8))}),
        }
    )


def _photograph(stack: Stack, scene: Scene) -> None:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        _photograph_in(browser, stack, scene)
        browser.close()


def _photograph_in(browser: Browser, stack: Stack, scene: Scene) -> None:
    SHOTS.mkdir(parents=True, exist_ok=True)
    paths = {
        "builds": "/",
        "build-running": f"/jobs/{scene.running.id}",
        "build-failed": f"/jobs/{scene.failed.id}",
        "build-compared": f"/jobs/{scene.rebuilt.id}",
        "workers": "/workers",
        "trends": "/trends?span=month",
    }
    for scheme in ("light", "dark"):
        for size, suffix in ((WIDE, ""), (PHONE, "-phone")):
            context = browser.new_context(
                viewport={"width": size[0], "height": size[1]},
                color_scheme="dark" if scheme == "dark" else "light",
                device_scale_factor=1 if suffix == "" else 2,
                base_url=stack.service.url,
            )
            context.add_cookies([{"name": session.COOKIE, "value": stack.token, "url": stack.service.url}])
            page = context.new_page()
            for name, path in paths.items():
                if suffix == "" or (name in ("builds", "build-running") and scheme == "light"):
                    _shoot(page, path, SHOTS / f"{name}-{scheme}{suffix}.png")
            context.close()


def _shoot(page: Page, path: str, file: Path) -> None:
    page.goto(path)
    page.wait_for_timeout(1500)  # the log, and the bars on their way
    page.screenshot(path=file)
    print(file.relative_to(REPOSITORY), flush=True)


if __name__ == "__main__":
    sys.exit(take())
