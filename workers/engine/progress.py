"""Reports about layers on the move, as pull and load tell them."""

from __future__ import annotations

import re

from shipway.models.event import Progress
from workers.engine.stream import Message

_LAYER = re.compile(r"[0-9a-f]{12}")


def layer_progress(message: Message) -> Progress | None:
    """Return how far a layer is, or None if the message is about something else. Sizes are bytes."""
    layer, status = str(message.get("id") or ""), message.get("status")
    if not status or not _LAYER.fullmatch(layer):
        return None
    detail = message.get("progressDetail") or {}
    current, total = int(detail.get("current") or 0), int(detail.get("total") or 0)
    return Progress(id=layer, action=str(status), current=current, total=max(total, current) if total > 0 else None)
