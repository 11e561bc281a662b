"""The files of deploy/ are what their own tools take for valid, and name only metrics that exist.

The tools are fetched by deploy/tools/fetch.sh and deploy/engines/fetch.sh; what can't be had here is skipped.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import kubernetes_validate
import prometheus_client
import pytest
import yaml

import service.metrics
import workers.metrics
from deploy.local.plain_http import PLAIN
from deploy.local.ports import LOOPBACK, free_port
from deploy.local.processes import Child
from deploy.local.stack import Stack
from deploy.local.waiting import wait_until
from tests.integration.contexts import once, script
from tests.integration.http_api import HttpApi

pytestmark = pytest.mark.engine_independent

REPOSITORY = Path(__file__).resolve().parents[2]
DEPLOY = REPOSITORY / "deploy"
TOOLS = REPOSITORY / ".cache/tools/usr"
COMPOSE = REPOSITORY / ".cache/engine28/usr/bin/docker-compose"
DASHBOARD = json.loads((DEPLOY / "grafana/dashboards/shipway.json").read_text())
ALERTS = yaml.safe_load((DEPLOY / "alerts.yml").read_text())
MANIFESTS = sorted(path for path in (DEPLOY / "kubernetes").glob("*.yaml") if path.stem != "kustomization")
OF_KEDA = "keda.sh/v1alpha1"
METRIC = re.compile(r"\bshipway_[a-z_]+")
IN_SYSTEMD = "/opt/shipway"


def run(*command: str | Path) -> str:
    """Run a checker; returns what it says, and fails with that unless it is content."""
    ran = subprocess.run(
        list(map(str, command)),
        cwd=REPOSITORY,
        env={**os.environ, "SHIPWAY_SECRET_KEYS": "a-key"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=60,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout
    return ran.stdout


def tool(path: Path) -> Path:
    """A fetched tool, or skip the test."""
    if not path.exists():
        pytest.skip(f"{path.name} could not be fetched")
    return path


def place_prometheus(folder: Path, config: str, token: str) -> None:
    """Put Prometheus' files where its configuration has them, in a folder instead of /etc/prometheus."""
    (folder / "prometheus.yml").write_text(config.replace("/etc/prometheus", str(folder)))
    shutil.copy(DEPLOY / "alerts.yml", folder)
    (folder / "tokens").mkdir()
    (folder / "tokens/prometheus").write_text(token)


def documents(path: Path) -> list[dict[str, Any]]:
    return list(yaml.safe_load_all(path.read_text()))


def expressions() -> dict[str, str]:
    """Every query of the dashboard, the alerts and the autoscaler, by where it stands."""
    panels = {f"panel {p['title']}, {t['refId']}": t["expr"] for p in DASHBOARD["panels"] for t in p["targets"]}
    alerts = {f"alert {rule['alert']}": rule["expr"] for group in ALERTS["groups"] for rule in group["rules"]}
    scaled = [document for path in MANIFESTS for document in documents(path) if document["kind"] == "ScaledObject"]
    triggers = {f"trigger {i}": t["metadata"]["query"] for s in scaled for i, t in enumerate(s["spec"]["triggers"])}
    return panels | alerts | triggers


def exported() -> set[str]:
    """Names of all samples that service and workers can export."""
    families = [*service.metrics.REGISTRY.collect(), *prometheus_client.REGISTRY.collect()]
    of_histogram = ("_bucket", "_sum", "_count")
    names = {family.name + ("_total" if family.type == "counter" else "") for family in families}
    histograms = {family.name + suffix for family in families if family.type == "histogram" for suffix in of_histogram}
    assert workers.metrics.JOBS is not None  # its import is what fills the second registry
    return names | histograms


@pytest.mark.parametrize("where", expressions())
def test_query_names_only_metrics_that_exist(where: str) -> None:
    named = set(METRIC.findall(expressions()[where]))

    assert named or "up{" in expressions()[where]
    assert named <= exported()


def test_compose_takes_its_file() -> None:
    """Images can't be pulled here, but every name, type and reference in the file is checked."""
    told = json.loads(run(tool(COMPOSE), "config", "--format=json"))

    assert set(told["services"]) == {"redis", "service", "worker", "registry", "prometheus", "grafana"}
    for part in told["services"].values():
        assert all(port["host_ip"] == LOOPBACK for port in part.get("ports", []))


def test_promtool_takes_configuration_and_rules(tmp_path: Path) -> None:
    promtool = tool(TOOLS / "bin/promtool")
    place_prometheus(tmp_path, (DEPLOY / "prometheus.yml").read_text(), "a token")

    assert "SUCCESS" in run(promtool, "check", "config", tmp_path / "prometheus.yml")


@pytest.mark.parametrize("path", MANIFESTS, ids=lambda path: path.stem)
def test_kubernetes_manifests_keep_to_its_schema(path: Path) -> None:
    for document in documents(path):
        if document["apiVersion"] != OF_KEDA:
            kubernetes_validate.validate(document, "1.34", strict=True)


def test_kustomization_names_every_manifest_and_the_autoscaler_a_workload() -> None:
    kustomization = documents(DEPLOY / "kubernetes/kustomization.yaml")[0]
    every = [document for path in MANIFESTS for document in documents(path)]
    workloads = {(one["kind"], one["metadata"]["name"]) for one in every}

    assert sorted(kustomization["resources"]) == [path.name for path in MANIFESTS]
    for one in every:
        if one["apiVersion"] == OF_KEDA:
            target = one["spec"]["scaleTargetRef"]
            assert (target["kind"], target["name"]) in workloads


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="no systemd here")
def test_systemd_takes_the_units(tmp_path: Path) -> None:
    for unit in (DEPLOY / "systemd").iterdir():
        (tmp_path / unit.name).write_text(unit.read_text().replace(IN_SYSTEMD, str(REPOSITORY)))

    run("systemd-analyze", "verify", "--man=no", *tmp_path.iterdir())


@pytest.fixture(scope="module")
def prometheus(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Debian's Prometheus with our configuration, pointed at the stack; its URL."""
    binary = tool(TOOLS / "bin/prometheus")
    folder = tmp_path_factory.mktemp("prometheus")
    worker = stack.workers["local-1"]
    config = yaml.safe_load((DEPLOY / "prometheus.yml").read_text())
    config["global"]["scrape_interval"] = "1s"
    places = {"service:8470": f"{LOOPBACK}:{stack.service.port}", "worker:8471": f"{LOOPBACK}:{worker.port}"}
    for scraped in config["scrape_configs"]:
        scraped["static_configs"] = [{"targets": [places[t] for s in scraped["static_configs"] for t in s["targets"]]}]
    place_prometheus(folder, yaml.safe_dump(config), stack.token)
    address = f"{LOOPBACK}:{free_port()}"
    command: list[str | Path] = [
        binary,
        f"--config.file={folder}/prometheus.yml",
        f"--storage.tsdb.path={folder}/data",
        f"--web.listen-address={address}",
    ]
    child = Child("prometheus", command, log=folder / "log")
    child.start(lambda: _answers(f"http://{address}/-/ready"))
    yield f"http://{address}"
    child.stop()


def _answers(url: str) -> bool:
    try:
        return httpx.get(url, timeout=5, **PLAIN).is_success
    except httpx.HTTPError:
        return False


def _query(url: str, expression: str) -> list[dict[str, Any]]:
    answer = httpx.get(f"{url}/api/v1/query", params={"query": expression}, **PLAIN)
    assert answer.is_success, answer.text
    found: list[dict[str, Any]] = answer.json()["data"]["result"]
    return found


def test_prometheus_scrapes_the_stack_and_answers_every_query(prometheus: str, api: HttpApi) -> None:
    api.succeed(script("FROM base", f"RUN echo {once()}"))

    assert wait_until(lambda: bool(_query(prometheus, "shipway_build_seconds_count > 0")), 20)
    assert {float(one["value"][1]) for one in _query(prometheus, "up")} == {1.0}
    for expression in expressions().values():
        _query(prometheus, expression)
