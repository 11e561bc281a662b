"""The page about metrics, from the modules that define them."""

from __future__ import annotations

from collections.abc import Iterator
from types import ModuleType

from prometheus_client.metrics import MetricWrapperBase

import service.metrics
import workers.metrics
from deploy.manual.markdown import GENERATED, code, prose, table

INTRODUCTION = """
# Metrics

`GET /metrics` on the service (with a token that has the scope `read`) and on each worker (`SHIPWAY_WORKER_PORT`,
without a token). A histogram `x` is exported as `x_bucket`, `x_sum` and `x_count`. Grafana's dashboard and the alert
rules that use them: `deploy/grafana/`, `deploy/alerts.yml`; what to watch: [operating](../operating.md).
"""


def page() -> str:
    """Every metric of both processes."""
    head = ["metric", "type", "labels", "meaning"]
    parts = {"The service": service.metrics, "A worker": workers.metrics}
    sections = [f"\n## {title}\n\n{table(head, _rows(module))}" for title, module in parts.items()]
    return GENERATED + INTRODUCTION + "".join(sections)


def _rows(module: ModuleType) -> Iterator[list[str]]:
    for metric in vars(module).values():
        if isinstance(metric, MetricWrapperBase):
            (family,) = metric.describe()
            name = family.name + ("_total" if family.type == "counter" else "")
            labels = ", ".join(map(code, metric._labelnames))  # noqa: SLF001 - the library has no other way to ask
            yield [code(name), family.type, labels, prose(family.documentation)]
