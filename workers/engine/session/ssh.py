"""Serves ssh keys to steps that mount an agent (`RUN --mount=type=ssh`); the keys themselves never get there.

BuildKit carries the connection of the step's `SSH_AUTH_SOCK` over the session. Sources: buildkit `session/sshforward`;
the agent's protocol: https://datatracker.ietf.org/doc/html/draft-ietf-sshm-ssh-agent.
"""

from __future__ import annotations

import base64
import struct
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

from shipway.exceptions import BuildUserError
from workers.engine.session.grpc import Calls, streaming, unary
from workers.engine.session.proto.sshforward_pb2 import BytesMessage, CheckAgentRequest, CheckAgentResponse

Key = ed25519.Ed25519PrivateKey | ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey

FAILURE, REQUEST_IDENTITIES, IDENTITIES_ANSWER, SIGN_REQUEST, SIGN_RESPONSE = 5, 11, 12, 13, 14
RSA_SHA2_256, RSA_SHA2_512 = 2, 4
"""Flags of a request to sign."""
MAX_MESSAGE = 256 * 1024
"""Bytes of one request: OpenSSH's own limit."""
_LENGTH = struct.Struct(">I")
_CURVE_HASHES: dict[int, hashes.HashAlgorithm] = {256: hashes.SHA256(), 384: hashes.SHA384(), 521: hashes.SHA512()}


class Ssh:
    """`moby.sshforward.v1.SSH`: an agent for each id, with that id's keys (PEM or OpenSSH's format, base64).

    Raises:
        BuildUserError: a key can't be read (`ssh-key-invalid`).
    """

    def __init__(self, keys: Mapping[str, Sequence[str]]) -> None:
        self._agents = {name: Agent([load_key(name, text) for text in texts]) for name, texts in keys.items()}

    def __mapping__(self) -> Calls:
        service = "/moby.sshforward.v1.SSH"
        return {
            f"{service}/CheckAgent": unary(self._check, CheckAgentRequest, CheckAgentResponse),
            f"{service}/ForwardAgent": streaming(self._forward, BytesMessage, BytesMessage),
        }

    async def _check(self, stream: Stream[CheckAgentRequest, CheckAgentResponse]) -> None:
        request = await stream.recv_message()
        self._agent(request.ID if request is not None else "")
        await stream.send_message(CheckAgentResponse())

    async def _forward(self, stream: Stream[BytesMessage, BytesMessage]) -> None:
        agent = self._agent(str(MultiDict(stream.metadata or ()).get("buildkit.ssh.id", "")))
        received = bytearray()
        async for message in stream:
            received += message.data
            for request in _requests(received):
                answer = agent.answer(request)
                await stream.send_message(BytesMessage(data=_LENGTH.pack(len(answer)) + answer))

    def _agent(self, name: str) -> Agent:
        agent = self._agents.get(name or "default")
        if agent is None:
            raise GRPCError(Status.NOT_FOUND, f"no ssh key {name or 'default'!r} came with this build")
        return agent


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
        return bytes([FAILURE])


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
