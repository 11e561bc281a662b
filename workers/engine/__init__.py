"""The worker's driver of its local Docker daemon: the only code that imports aiodocker."""

from __future__ import annotations

from workers.engine.contract import Ask, BuildOutcome, BuildSources, DaemonDescription, Sink
from workers.engine.daemon import Engine
from workers.engine.images import DiskUsage, ImageSummary

__all__ = ["Ask", "BuildOutcome", "BuildSources", "DaemonDescription", "DiskUsage", "Engine", "ImageSummary", "Sink"]
