"""What a build's steps ask an ssh agent that is elsewhere, and its answers.

Of the agent's protocol (https://datatracker.ietf.org/doc/html/draft-ietf-sshm-ssh-agent) only listing keys and signing
go through: nothing that changes what an agent holds.
"""

from __future__ import annotations

import base64
import binascii
from typing import Annotated

from pydantic import AfterValidator, BaseModel, Field

FAILURE, REQUEST_IDENTITIES, IDENTITIES_ANSWER, SIGN_REQUEST, SIGN_RESPONSE = 5, 11, 12, 13, 14
FAILED = bytes([FAILURE])
PASSED = frozenset({REQUEST_IDENTITIES, SIGN_REQUEST})
"""The requests that an agent elsewhere is asked."""
MAX_REQUEST = 16 * 1024
"""Bytes of a request to an agent elsewhere: one to log in or to sign a commit has some hundred."""
MAX_MESSAGE = 256 * 1024
"""Bytes of any message: OpenSSH's own limit."""
MAX_AGENTS = 16
ANSWERING = 60.0
"""Seconds that an agent may take: somebody may have to touch a key or to type a passphrase."""


def may_pass(request: bytes) -> bool:
    """Whether an agent elsewhere is asked this."""
    return len(request) <= MAX_REQUEST and request[:1] != b"" and request[0] in PASSED


def _base64(text: str) -> str:
    try:
        base64.b64decode(text, validate=True)
    except binascii.Error:
        raise ValueError("a message is sent as base64") from None
    return text


Message = Annotated[
    str,
    Field(min_length=4, max_length=MAX_MESSAGE * 4 // 3 + 4, description="without its length, base64"),
    AfterValidator(_base64),
]


class AgentAnswer(BaseModel):
    """What an agent answered."""

    message: Message

    @property
    def raw(self) -> bytes:
        """The message itself."""
        return base64.b64decode(self.message)

    @classmethod
    def of(cls, raw: bytes) -> AgentAnswer:
        """Wrap a message."""
        return cls(message=base64.b64encode(raw).decode())


class AgentRequest(AgentAnswer):
    """What a step asks an agent."""

    number: str = Field(description="answers name it, and the next request for what is asked is for what came after it")
    agent: str = Field(description="id of the agent, such as `default`")


class AgentRequests(BaseModel):
    """What has been asked and not been answered, oldest first."""

    requests: tuple[AgentRequest, ...]
