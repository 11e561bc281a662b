"""The console in a real browser, against the real stack."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from typing import Literal

import httpx
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, Page, StorageState, expect, sync_playwright

from deploy.local.plain_http import PLAIN
from deploy.local.registry import Registry
from deploy.local.stack import Stack
from shipway.models.job import Job, JobState
from tests.integration.contexts import once, script
from tests.integration.http_api import HttpApi

pytestmark = pytest.mark.engine_independent

LIMIT = 30_000
"""Milliseconds that the browser may wait for anything."""
LINES = 100_000
PAGES = ["/", "/jobs/{failed}", "/workers", "/trends", "/jobs/UNKNOWN"]
PHONE = 390
"""Pixels."""
SCHEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    expect.set_options(timeout=LIMIT)
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        yield chromium
        chromium.close()


@pytest.fixture(scope="module")
def login(browser: Browser, stack: Stack) -> StorageState:
    """What a browser keeps of somebody who has logged in."""
    page = browser.new_page(base_url=stack.service.url)
    page.goto("/")
    page.get_by_label("Token").fill(stack.token)
    page.get_by_role("button", name="Log in").click()
    page.wait_for_url("**/")
    state = page.context.storage_state()
    page.context.close()
    return state


@pytest.fixture
def context(browser: Browser, stack: Stack, login: StorageState) -> Iterator[BrowserContext]:
    made = browser.new_context(base_url=stack.service.url, storage_state=login)
    made.set_default_timeout(LIMIT)
    yield made
    made.close()


@pytest.fixture
def page(context: BrowserContext) -> Iterator[Page]:
    """A page that must not break its own content security policy, nor raise an error."""
    page = context.new_page()
    complaints: list[str] = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    yield page
    assert complaints == []


@pytest.fixture(scope="module")
def failed(stack: Stack) -> Job:
    """A build that failed in its third line."""
    with HttpApi(stack.service.url, stack.token) as api:
        return api.build(script("FROM base", "LABEL a=b", f"RUN echo {once()}; false", "LABEL c=d"), tags=["broken"])


def slow() -> dict[str, bytes]:
    """A build that counts, and goes on until it is cancelled."""
    return script("FROM base", f"RUN for n in $(seq 1000); do echo line $n; sleep 0.05; done # {once()}")


def test_build_is_followed_live_and_cancelled(page: Page, api: HttpApi) -> None:
    job = api.submit(slow())

    page.goto("/")
    page.locator(f"#job-{job.id} a").click()
    step = page.locator(".step", has_text="echo line")
    expect(step.locator(".log")).to_contain_text("line 5\n")
    expect(page.locator(".actions .state")).to_have_text("running")
    page.get_by_role("button", name="Cancel").click()

    expect(page.locator(".actions .state")).to_have_text("cancelled")
    expect(page.get_by_role("button", name="Rebuild")).to_be_visible()
    assert api.wait(job.id).state is JobState.CANCELLED


def test_reload_in_the_middle_loses_nothing(page: Page, api: HttpApi) -> None:
    job = api.submit(slow())

    page.goto(f"/jobs/{job.id}")
    log = page.locator(".step", has_text="echo line").locator(".log")
    expect(log).to_contain_text("line 10\n")
    page.reload()
    expect(log).to_contain_text("line 20\n")
    api.cancel(job.id)
    expect(page.locator(".actions .state")).to_have_text("cancelled")

    seen = log.locator(".lines").inner_text().splitlines()
    assert seen == [f"line {n}" for n in range(1, len(seen) + 1)]


def test_failure_shows_the_place_in_the_dockerfile(page: Page, failed: Job) -> None:
    page.goto(f"/jobs/{failed.id}")

    expect(page.locator(".problem h2")).to_have_text("step-failed")
    expect(page.locator(".excerpt .here .number")).to_have_text("3")
    expect(page.locator(".excerpt .where")).to_have_text("Dockerfile:3")
    expect(page.locator(".step.failed")).to_have_attribute("open", "")


def test_rebuild_starts_the_same_build_again(page: Page, api: HttpApi) -> None:
    job = api.succeed(script("FROM base", f"RUN echo {once()}"), tags=[f"again-{once()}"])

    page.goto(f"/jobs/{job.id}")
    page.get_by_role("button", name="Rebuild").click()
    page.wait_for_url(lambda url: "/jobs/" in url and job.id not in url)

    expect(page.locator(".actions .state")).to_have_text("succeeded")
    expect(page.locator(".compare")).to_contain_text("Every step came from the cache.")
    assert api.job(page.url.rpartition("/")[2]).spec == job.spec


def test_comparison_names_the_first_miss_and_the_changed_files(page: Page, api: HttpApi, registry: Registry) -> None:
    name = f"{registry.address}/compared-{once()}"
    dockerfile = script("FROM base", f"RUN echo {once()}", "COPY src /src", "RUN cat /src/a")
    before = api.succeed(dockerfile | {"src/a": b"1", "src/b": b"1", "c": b"1"}, tags=[f"{name}:1"])
    after = api.succeed(dockerfile | {"src/a": b"2", "src/b": b"1", "c": b"2"}, tags=[f"{name}:2"], push=True)

    page.goto(f"/jobs/{after.id}")

    compared = page.locator(".compare")
    expect(compared.get_by_role("link")).to_have_attribute("href", f"/jobs/{before.id}")
    expect(compared).to_contain_text("COPY src /src")
    expect(compared.locator(".reasons li")).to_have_text(["1 of the files it copies changed: src/a changed"])
    digest = after.result.pushed[0].digest
    expect(page.locator(".pull code").first).to_have_text(f"docker pull {name}@{digest}")


def test_builds_appear_by_themselves_and_are_found(page: Page, api: HttpApi, failed: Job) -> None:
    page.goto("/?state=failed")
    expect(page.locator(f"#job-{failed.id}")).to_be_visible()

    word = once()
    page.goto(f"/?text={word[:20].upper()}")
    expect(page.locator(".empty")).to_contain_text("Nothing here fits.")
    job = api.submit(script("FROM base", f"LABEL word={word}"), tags=[f"found:{word}"])
    expect(page.locator(".builds .row")).to_have_count(1)
    expect(page.locator(f"#job-{job.id} .state")).to_have_text("succeeded")


def test_keyboard_moves_opens_and_searches(page: Page, failed: Job) -> None:
    page.goto("/?text=broken")

    page.keyboard.press("j")
    page.keyboard.press("Enter")
    page.wait_for_url(f"**/jobs/{failed.id}")
    page.keyboard.press("g")
    page.keyboard.press("b")
    page.wait_for_url(re.compile(r"/$"))
    page.keyboard.press("/")
    page.keyboard.type("broken")
    page.keyboard.press("Enter")

    expect(page.locator(".builds .row")).to_have_count(1)


def test_worker_is_drained_and_resumed(page: Page, stack: Stack) -> None:
    name = next(iter(stack.workers))
    page.goto("/workers")
    worker = page.locator(f"#worker-{name}")

    expect(worker).to_contain_text("Build cache")
    worker.get_by_role("button", name="Drain").click()
    expect(worker.locator(".state")).to_have_text("draining")
    worker.get_by_role("button", name="Resume").click()
    expect(worker.locator(".state")).to_have_text("ready")


def test_ended_builds_are_counted_in_the_trends(page: Page, failed: Job) -> None:
    page.goto("/trends")

    page.get_by_text("All figures").click()
    expect(page.locator(".figures tbody tr").first.locator("td").nth(1)).not_to_have_text("0")
    expect(page.locator(".chart")).to_have_count(5)


def test_a_hundred_thousand_lines_are_all_there_and_few_are_laid_out(page: Page, api: HttpApi) -> None:
    job = api.succeed(script("FROM base", f"RUN seq {LINES} # {once()}"), builder="classic")  # BuildKit clips fast logs

    page.goto(f"/jobs/{job.id}")
    page.locator(".step", has_text="RUN seq").locator("summary").click()
    expect(page.locator(".log .block").last.locator(".numbers")).to_contain_text(f"{LINES}\n")

    texts = page.locator(".log .lines").all_text_contents()
    assert "".join(texts).split() == [str(n) for n in range(1, LINES + 1)]
    laid_out = (
        "[...document.querySelectorAll('.log .lines')].filter(e => e.checkVisibility({contentVisibilityAuto: true}))"
    )
    assert page.evaluate(f"{laid_out}.length") <= len(texts) / 20


def test_log_is_coloured_and_cleaned(page: Page, api: HttpApi) -> None:
    job = api.succeed(
        script("FROM base", f"RUN printf '\\033[1;31mred\\033[0m <b>\\033[2J\\n10%%\\r20%%\\n' # {once()}")
    )

    page.goto(f"/jobs/{job.id}")
    page.locator(".step", has_text="RUN printf").locator("summary").click()

    expect(page.locator(".log .lines")).to_have_text("red <b>\n20%\n")
    expect(page.locator(".log .lines .fg-1.bold")).to_have_text("red")


@pytest.mark.parametrize("path", PAGES)
def test_pages_are_as_wide_as_a_phone(context: BrowserContext, failed: Job, path: str) -> None:
    page = context.new_page()
    page.set_viewport_size({"width": PHONE, "height": 844})
    page.goto(path.format(failed=failed.id))

    assert page.evaluate("document.documentElement.scrollWidth") == PHONE


@pytest.mark.parametrize("path", PAGES)
def test_pages_are_accessible(context: BrowserContext, failed: Job, path: str) -> None:
    page = context.new_page()
    page.goto(path.format(failed=failed.id))
    for scheme in SCHEMES:
        page.emulate_media(color_scheme=scheme)

        found = Axe().run(page)

        assert [(one["id"], one["nodes"][0]["html"]) for one in found.response["violations"]] == []


@pytest.mark.parametrize("path", ["/jobs/{id}/cancel", "/jobs/{id}/rebuild", "/workers/any/drain"])
def test_changes_that_another_site_asks_for_are_refused(api: HttpApi, failed: Job, path: str) -> None:
    headers = {"Origin": "https://elsewhere.example", "Cookie": f"shipway={api.token}"}

    answer = httpx.post(api.url + path.format(id=failed.id), headers=headers, **PLAIN)

    assert answer.status_code == 403
    assert "origin-foreign" in answer.text


def test_errors_are_pages_and_nothing_foreign_is_allowed(api: HttpApi) -> None:
    answer = api.http.get("/jobs/UNKNOWN")

    assert answer.status_code == 404
    assert answer.headers["content-type"].startswith("text/html")
    assert "job-unknown" in answer.text
    assert "script-src 'self'" in answer.headers["content-security-policy"]
    assert "unsafe" not in answer.headers["content-security-policy"]
