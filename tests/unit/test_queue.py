from pathlib import Path

import pytest
from celery.app.defaults import DEFAULTS
from kombu.transport.redis import Channel

from shipway.queue import celery_app

REASONS = Path(__file__).parents[2] / "docs" / "decisions" / "0001-celery-settings.md"


@pytest.mark.parametrize("url", ["redis://localhost/0", "sentinel://one,two/main/0"])
def test_every_setting_that_differs_from_its_default_has_a_written_reason(url: str) -> None:
    settings = celery_app(url).conf
    changed = [key for key, default in DEFAULTS.items() if settings[key] != default and key != "accept_content"]
    options = settings["broker_transport_options"]
    changed += [key for key, value in options.items() if value != getattr(Channel, key, None)]
    changed.remove("broker_transport_options")
    text = REASONS.read_text().replace("unacked_restore_*", "unacked_restore_interval unacked_restore_throttle")

    assert [key for key in changed if key not in text] == []
