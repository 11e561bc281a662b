"""The commands of administrators that look: `audit`, `trust list`."""

from __future__ import annotations

import time

from shipway.cli.listing import with_client
from shipway.cli.tables import ago, console, print_json, table
from shipway.cli.text import one_line
from shipway.models.audit import AuditEntry
from shipway.models.trust import TrustRule


def show_audit(url: str | None, limit: int, *, as_json: bool) -> int:
    """Print who changed what, newest first."""
    raw = with_client(url, lambda client: client.get_json("/v1/audit", limit=limit))
    if as_json:
        print_json(raw)
        return 0
    listed = table("AT", "WHO", "PROJECT", "FROM", "ACTION", "SUBJECT", folding="SUBJECT")
    for entry in [AuditEntry.model_validate(each) for each in raw["entries"]]:
        at = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(entry.at))
        listed.add_row(at, one_line(entry.who), entry.project, entry.address, entry.action, one_line(entry.subject))
    console().print(listed)
    return 0


def list_trust(url: str | None, *, as_json: bool) -> int:
    """Print the rules of trust in other issuers, oldest first."""
    raw = with_client(url, lambda client: client.get_json("/v1/trust"))
    if as_json:
        print_json(raw)
        return 0
    listed = table("ID", "PROJECT", "SCOPES", "CREATED", "NAME", "ISSUER", "CLAIMS", folding="CLAIMS")
    for rule in [TrustRule.model_validate(each) for each in raw["rules"]]:
        claims = " ".join(f"{claim}={pattern}" for claim, pattern in sorted(rule.claims.items()))
        facts = (ago(rule.created), one_line(rule.name), one_line(rule.issuer), one_line(claims))
        listed.add_row(rule.id, rule.project, " ".join(rule.scopes), *facts)
    console().print(listed)
    return 0
