"""Serves ssh agents to the steps that mount one (`RUN --mount=type=ssh`); keys themselves never get there.

BuildKit carries the connection of the step's `SSH_AUTH_SOCK` over the session. Sources: buildkit `session/sshforward`;
the agent's protocol: https://datatracker.ietf.org/doc/html/draft-ietf-sshm-ssh-agent.
"""

from __future__ import annotations

import base64
import struct
import time
from collections.abc import Iterator, Mapping, Sequence

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_private_key,
    load_ssh_private_key,
)
from grpclib import GRPCError, Status
from grpclib.server import Stream
from multidict import MultiDict

from shipway.exceptions import BuildUserError, JobError
from shipway.models.agent import (
    FAILED,
    IDENTITIES_ANSWER,
    MAX_MESSAGE,
    REQUEST_IDENTITIES,
    SIGN_REQUEST,
    SIGN_RESPONSE,
    may_pass,
)
from workers.engine.contract import Ask
from workers.engine.session.grpc import Calls, streaming, unary
from workers.engine.session.proto.sshforward_pb2 import BytesMessage, CheckAgentRequest, CheckAgentResponse

Key = ed25519.Ed25519PrivateKey | ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey

RSA_SHA2_256, RSA_SHA2_512 = 2, 4
"""Flags of a request to sign."""
_LENGTH = struct.Struct(">I")
_CURVE_HASHES: dict[int, hashes.HashAlgorithm] = {256: hashes.SHA256(), 384: hashes.SHA384(), 521: hashes.SHA512()}


class Ssh:
    """`moby.sshforward.v1.SSH`: an agent for each id.

    Args:
        keys: ids of agents that hold these keys (PEM or OpenSSH's format, base64).
        elsewhere: ids of agents that are elsewhere. They are asked to list keys and to sign, and nothing else.

    Raises:
        BuildUserError: a key can't be read (`ssh-key-invalid`).
    """

    def __init__(self, keys: Mapping[str, Sequence[str]], elsewhere: Mapping[str, Ask]) -> None:
        self._elsewhere = elsewhere
        self._agents = {name: Agent([load_key(name, text) for text in texts]) for name, texts in keys.items()}
        self._failure: tuple[float, JobError] | None = None

    def failure(self, since: float) -> JobError | None:
        """Why an agent could not be had, if that was after a moment (seconds since the epoch)."""
        return self._failure[1] if self._failure is not None and self._failure[0] >= since else None

    def __mapping__(self) -> Calls:
        service = "/moby.sshforward.v1.SSH"
        return {
            f"{service}/CheckAgent": unary(self._check, CheckAgentRequest, CheckAgentResponse),
            f"{service}/ForwardAgent": streaming(self._forward, BytesMessage, BytesMessage),
        }

    async def _check(self, stream: Stream[CheckAgentRequest, CheckAgentResponse]) -> None:
        request = await stream.recv_message()
        self._known(request.ID if request is not None else "")
        await stream.send_message(CheckAgentResponse())

    async def _forward(self, stream: Stream[BytesMessage, BytesMessage]) -> None:
        name = self._known(str(MultiDict(stream.metadata or ()).get("buildkit.ssh.id", "")))
        received = bytearray()
        async for message in stream:
            received += message.data
            for request in _requests(received):
                answer = await self._answer(name, request)
                await stream.send_message(BytesMessage(data=_LENGTH.pack(len(answer)) + answer))

    def _known(self, name: str) -> str:
        name = name or "default"
        if name not in self._agents and name not in self._elsewhere:
            raise GRPCError(Status.NOT_FOUND, f"no ssh key {name!r} came with this build")
        return name

    async def _answer(self, name: str, request: bytes) -> bytes:
        if name in self._agents:
            return self._agents[name].answer(request)
        if not may_pass(request):
            return FAILED
        try:
            return await self._elsewhere[name](request)
        except JobError as fault:
            self._failure = time.time(), fault
            raise GRPCError(Status.UNAVAILABLE, fault.message) from fault


class Agent:
    """An ssh agent that lists its keys and signs with them, and does nothing else."""

    def __init__(self, keys: Sequence[Key]) -> None:
        self._keys = {_public(key): key for key in keys}

    def answer(self, request: bytes) -> bytes:
        """Answer one request; what can't be done or understood is answered as a failure."""
        kind, rest = request[:1], request[1:]
        if kind == bytes([REQUEST_IDENTITIES]):
            listed = b"".join(_string(public) + _string(b"") for public in self._keys)
            return bytes([IDENTITIES_ANSWER]) + _LENGTH.pack(len(self._keys)) + listed
        if kind == bytes([SIGN_REQUEST]):
            try:
                public, rest = _cut_string(rest)
                data, rest = _cut_string(rest)
                (flags,) = _LENGTH.unpack_from(rest)
                return bytes([SIGN_RESPONSE]) + _string(_sign(self._keys[public], data, flags))
            except (struct.error, KeyError):
                pass
        return FAILED


def _sign(key: Key, data: bytes, flags: int) -> bytes:
    """Sign in the format of RFC 4253, 5656, 8332 or 8709, as the key's type wants."""
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return _string(b"ssh-ed25519") + _string(key.sign(data))
    if isinstance(key, ec.EllipticCurvePrivateKey):
        signature = key.sign(data, ec.ECDSA(_CURVE_HASHES[key.key_size]))
        numbers = b"".join(_string(_integer(number)) for number in decode_dss_signature(signature))
        return _string(f"ecdsa-sha2-nistp{key.key_size}".encode()) + _string(numbers)
    name, digest = _rsa_algorithm(flags)
    return _string(name) + _string(key.sign(data, padding.PKCS1v15(), digest))


def _rsa_algorithm(flags: int) -> tuple[bytes, hashes.HashAlgorithm]:
    if flags & RSA_SHA2_512:
        return b"rsa-sha2-512", hashes.SHA512()
    if flags & RSA_SHA2_256:
        return b"rsa-sha2-256", hashes.SHA256()
    return b"ssh-rsa", hashes.SHA1()  # noqa: S303 - what a server that knows nothing newer asks for


def load_key(name: str, text: str) -> Key:
    """Read a private key, base64 of its file; raises BuildUserError `ssh-key-invalid`."""
    raw = base64.b64decode(text)
    load = load_ssh_private_key if b"BEGIN OPENSSH PRIVATE KEY" in raw else load_pem_private_key
    try:
        key = load(raw, None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as fault:  # TypeError: it is encrypted
        raise BuildUserError(
            f"the ssh key {name!r} can't be read ({fault}); give a private key without a passphrase",
            slug="ssh-key-invalid",
            field="ssh",
        ) from None
    if not isinstance(key, Key) or (isinstance(key, ec.EllipticCurvePrivateKey) and key.key_size not in _CURVE_HASHES):
        raise BuildUserError(f"the ssh key {name!r} is of no type that ssh uses", slug="ssh-key-invalid", field="ssh")
    return key


def _public(key: Key) -> bytes:
    line = key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH)
    return base64.b64decode(line.split()[1])


def _requests(received: bytearray) -> Iterator[bytes]:
    """Take whole requests off what was received."""
    while len(received) >= _LENGTH.size:
        (length,) = _LENGTH.unpack_from(received)
        if length > MAX_MESSAGE:
            raise GRPCError(Status.INVALID_ARGUMENT, "this is not an ssh agent's request")
        if len(received) < _LENGTH.size + length:
            return
        yield bytes(received[_LENGTH.size : _LENGTH.size + length])
        del received[: _LENGTH.size + length]


def _string(raw: bytes) -> bytes:
    return _LENGTH.pack(len(raw)) + raw


def _cut_string(raw: bytes) -> tuple[bytes, bytes]:
    (length,) = _LENGTH.unpack_from(raw)
    end = _LENGTH.size + length
    return raw[_LENGTH.size : end], raw[end:]


def _integer(number: int) -> bytes:
    """A positive number as RFC 4251 writes it: big-endian, its highest bit zero."""
    return number.to_bytes(number.bit_length() // 8 + 1, "big")
