"""How parts on this machine are asked by plain HTTP."""

from __future__ import annotations

import ssl
from typing import Final, TypedDict


class Plain(TypedDict):
    """Settings of an httpx client."""

    trust_env: bool
    verify: ssl.SSLContext


PLAIN: Final[Plain] = {"trust_env": False, "verify": ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)}
"""No proxy, which is not for what is on this machine, and no certificates: to read the list of authorities takes longer
than to ask. By TLS nobody would be trusted."""
