"""What a worker does for each kind of job. Each piece of work goes through its phases; the runner settles it."""

from __future__ import annotations

from typing import Any

from shipway.models.spec import Kind
from shipway.storage.jobs import Claim
from workers.parts import Parts
from workers.recorder import Recorder
from workers.work.archives import Exporting, Importing, Loading, Saving
from workers.work.base import Work
from workers.work.building import Building
from workers.work.committing import Committing
from workers.work.images import Inspecting, Pruning, Removing, Tagging
from workers.work.registries import LoggingIn, Pulling, Pushing

WORK: dict[Kind, type[Work[Any]]] = {
    Kind.BUILD: Building,
    Kind.COMMIT: Committing,
    Kind.IMPORT: Importing,
    Kind.LOAD: Loading,
    Kind.SAVE: Saving,
    Kind.EXPORT: Exporting,
    Kind.PUSH: Pushing,
    Kind.PULL: Pulling,
    Kind.INSPECT: Inspecting,
    Kind.TAG: Tagging,
    Kind.REMOVE: Removing,
    Kind.PRUNE: Pruning,
    Kind.LOGIN: LoggingIn,
}


def work_for(parts: Parts, claim: Claim, recorder: Recorder) -> Work[Any]:
    """Make the work that a claimed job asks for."""
    return WORK[claim.job.kind](parts, claim, recorder)
