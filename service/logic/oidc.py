"""Tokens of other issuers: verified by their published keys, and worth what the rule says that they fit."""

from __future__ import annotations

from typing import Any

import jwt
from jwt.exceptions import ExpiredSignatureError, PyJWTError

from service.process import Process
from shipway.exceptions import Unauthorized
from shipway.models.pattern import matches
from shipway.models.token import Caller, Rights
from shipway.models.trust import TrustRule
from shipway.storage.redis import reaching_redis

ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA")
"""Signatures by a private key only: what is signed by a shared secret, or not at all, counts for nothing."""
REQUIRED = ("iss", "aud", "exp", "sub")
LEEWAY = 30.0
"""Seconds by which the issuer's clock may differ from this one."""
MAX_LENGTH = 16_384


async def identify_by_trust(process: Process, text: str) -> Caller:
    """Tell who sends a JSON Web Token of another issuer, by the oldest rule that it fits.

    Raises:
        Unauthorized: it fits none (`token-invalid`), or has expired (`token-expired`).
        Unavailable: Redis or the issuer is away.
    """
    try:
        header = jwt.get_unverified_header(text) if len(text) <= MAX_LENGTH else {}
        issuer = jwt.decode(text, options={"verify_signature": False}).get("iss") if header else None
    except (PyJWTError, ValueError, RecursionError):
        raise _invalid("it is not a JSON Web Token") from None
    async with reaching_redis():
        rules = [rule for rule in await process.trust.all() if rule.issuer == issuer]
    if not rules:
        raise _invalid("no rule of this service trusts its issuer")
    claims = await _verified(process, rules[0].issuer, text, header)
    for rule in rules:
        if _fits(rule, claims):
            rights = rule.model_dump(include=set(Rights.model_fields))
            return Caller(**rights, id=rule.id, who=f"{rule.issuer} {claims['sub']}")
    raise _invalid("no rule of this service fits its audience and claims")


async def _verified(process: Process, issuer: str, text: str, header: dict[str, Any]) -> dict[str, Any]:
    """What a token says, once its signature, issuer and times are found good; the audience is each rule's own."""
    key_id = header.get("kid")
    if header.get("alg") not in ALGORITHMS or not isinstance(key_id, str):
        raise _invalid("it is not signed by a key that its issuer names")
    key = await process.issuers.key(issuer, key_id)
    if key is None or key.algorithm_name != header["alg"]:
        raise _invalid("its issuer publishes no such key")
    try:
        return jwt.decode(
            text,
            key,
            algorithms=[header["alg"]],
            issuer=issuer,
            leeway=LEEWAY,
            options={"require": list(REQUIRED), "verify_aud": False},
        )
    except ExpiredSignatureError:
        raise Unauthorized("this token has expired; its issuer makes a new one", slug="token-expired") from None
    except (PyJWTError, ValueError) as fault:
        raise _invalid(f"its check failed: {type(fault).__name__}") from None


def _fits(rule: TrustRule, claims: dict[str, Any]) -> bool:
    return rule.audience in _texts(claims["aud"]) and all(
        any(matches(pattern, text) for text in _texts(claims.get(claim))) for claim, pattern in rule.claims.items()
    )


def _texts(value: Any) -> list[str]:
    """A claim as text: one, or each of a list; numbers and truths as JSON writes them."""
    if isinstance(value, list):
        return [text for each in value for text in _texts(each) if not isinstance(each, list)]
    if isinstance(value, bool):
        return ["true" if value else "false"]
    return [str(value)] if isinstance(value, str | int) else []


def _invalid(why: str) -> Unauthorized:
    return Unauthorized(f"this token is not valid here: {why}", slug="token-invalid")
