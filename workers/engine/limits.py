"""How a daemon is told what a step may use.

Sources: Docker Engine API 1.41 to 1.51, `ImageBuild` and `ContainerCreate`. Only the classic builder reads these
parameters of a build; BuildKit ignores all of them, `cgroupparent` included (seen on 20.10 and 28.5).
"""

from __future__ import annotations

from typing import Any

from shipway.models.worker import StepLimits

PERIOD = 100_000
"""Microseconds over which the kernel counts a step's time on processors."""
Pairs = list[tuple[str, str]]


def classic_limits(limits: StepLimits) -> Pairs:
    """For the query of a build by the classic builder, which has no word for processes."""
    pairs = [("cgroupparent", limits.cgroup_parent)] if limits.cgroup_parent else []
    pairs += [("memory", str(limits.memory)), ("memswap", str(limits.memory))] if limits.memory else []
    pairs += [("cpuperiod", str(PERIOD)), ("cpuquota", str(int(limits.cpus * PERIOD)))] if limits.cpus else []
    return pairs


def container_limits(limits: StepLimits) -> dict[str, Any]:
    """For the `HostConfig` of a container."""
    asked: dict[str, Any] = {
        "CgroupParent": limits.cgroup_parent,
        "Memory": limits.memory,
        "MemorySwap": limits.memory,
        "CpuPeriod": PERIOD if limits.cpus else None,
        "CpuQuota": int(limits.cpus * PERIOD) if limits.cpus else None,
        "PidsLimit": limits.pids,
    }
    return {name: value for name, value in asked.items() if value}
