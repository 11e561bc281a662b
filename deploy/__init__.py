"""How Shipway is started, packaged and shown; no part of the wheel."""
