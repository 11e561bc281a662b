"""With this folder in PYTHONPATH, a Python process believes that it is an hour later."""

import time

_now = time.time
time.time = lambda: _now() + 3600
