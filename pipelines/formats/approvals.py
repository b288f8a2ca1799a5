"""Decisions on what workers may do, one JSON object a line: who decided what, for which worker, when.

Proves: that somebody decided before the act, where the source says `authenticated: true` (whatever wrote the lines
checked who decides); else a decision is asserted, and covers nothing.

Cannot see: whether the decision was taken back later, unless that is a line of its own; until when it holds, which the
manifest's `within` says; and who asked for it.

Sources: this product's own format, for whatever has no log of approvals that is read here; what is filled follows
detectors/approvals.py. Keys: `decided_at` (RFC 3339 or Unix time), `decision`, `approver` (an identity, or a mail
address), `worker` (its name, or one of its identities); and as the act's own log spells them `service`, `operation`,
`resource` or `resources`, and `digest` (the act's request id) where the decision is bound to one. `id` names the
decision, `comment` is for people. Pull-request reviews are the format `github_reviews`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO

import pyarrow as pa

from pipelines.formats import one_batch
from pipelines.formats.format import ACTIONS_OUT, GRANTS_OUT, Format, Options, Secret, Split, rows
from pipelines.formats.record_sql import id_of, mail, moment, parse, texts, told
from pipelines.formats.splitting import json_values
from pipelines.identifiers import Sql


class ApprovalsOptions(Options):
    """`authenticated` says that whatever wrote the decisions checked who takes them."""

    authenticated: bool = False


_DECISION = {
    **texts("id", "decided_at", "decision", "approver", "worker", "service", "operation", "resource", "digest"),
    "resources": ["VARCHAR"],
}

_GRANTED = ("granted", "approved", "approve", "allowed", "accepted", "yes")
_REFUSED = ("denied", "rejected", "reject", "refused", "declined", "withdrawn", "revoked", "no")


def _in(words: tuple[str, ...]) -> str:
    return "(" + ", ".join(f"'{word}'" for word in words) + ")"


_MISSING = " ".join(
    f"WHEN {id_of(f'e.{key}')} IS NULL THEN 'the key \"{key}\" is missing or has no text'"
    for key in ("decided_at", "decision", "approver", "worker")
)

_EVENTS = f"""
    SELECT record_id, realm, valid, e, time, false AS skipped, {id_of("e.id")} AS native_id, decision,
           coalesce(CASE WHEN regexp_matches(approver, '^[a-z0-9]+:[a-z0-9_-]+/.') THEN approver END,
                    {mail("approver")}, {Sql.uid("approvals:user", "approver", "realm")}) AS principal,
           CASE WHEN NOT valid THEN 'not a JSON object, as a decision is'
                {_MISSING}
                WHEN time IS NULL THEN 'the key "decided_at" is no RFC 3339 or Unix time' END AS reason
    FROM (SELECT *, {moment("e.decided_at")} AS time, lower({id_of("e.decision")}) AS decision,
                 {id_of("e.approver")} AS approver FROM parsed)
"""
_RESOURCES = "list_filter(coalesce(e.resources, []), r -> r <> '')"


def _columns(authenticated: bool) -> dict[str, str]:
    """Every action column that is filled, as SQL over `events`."""
    return {
        "time": "time",
        "time_kind": "'logged'",
        "time_precision": "CASE WHEN contains(e.decided_at, '.') THEN '1ms' ELSE '1s' END",
        "class_uid": "6003",
        "activity": "'Other'",
        "api_service": id_of("e.service"),
        "api_operation": id_of("e.operation"),
        "principal": "principal",
        "principal_type": "'user'",
        "identity_strength": "'proven'" if authenticated else "'asserted'",
        "session_name": id_of("e.worker"),
        "status": f"""CASE WHEN decision IN {_in(_GRANTED)} THEN 'success'
                           WHEN decision IN {_in(_REFUSED)} THEN 'denied' ELSE 'unknown' END""",
        "status_code": "decision",
        "resource_uid": f"coalesce({id_of('e.resource')}, {_RESOURCES}[1])",
        "resources": f"CASE WHEN len({_RESOURCES}) > 0 THEN {_RESOURCES} END",
        "request_uid": id_of("e.digest"),
    }


def split(stream: BinaryIO, at_rest: bool, options: ApprovalsOptions) -> Iterator[Split]:  # noqa: ARG001
    """One record a decision: a line each, or an array."""
    return json_values(stream, at_rest)


def actions(records: pa.Table, options: ApprovalsOptions) -> pa.Table:
    """RECORDS_IN to ACTIONS_OUT: one row a record, as detectors.approvals reads them; times are UTC."""
    with one_batch.connect() as connection:
        parse(connection, records, _DECISION)
        connection.execute(f"CREATE TEMP TABLE events AS {_EVENTS}")
        return rows(connection.execute(told(_columns(options.authenticated))).to_arrow_table(), ACTIONS_OUT)


def grants(records: pa.Table, options: ApprovalsOptions) -> pa.Table:  # noqa: ARG001
    """No rows: a decision gives rise to no credential."""
    return GRANTS_OUT.empty_table()


SECRETS = (
    # What approvers paste into a comment, and what approval systems pass along with a request.
    Secret(r'(?i)"(?:token|secret|approval_token|callback_token|otp|pass_?code|signature)"\s*:\s*"((?:[^"\\]|\\.)+)"'),
)

FORMAT = Format(
    name="approvals",
    category="approval",
    observes=frozenset(_columns(authenticated=True)),
    id_scope="realm",
    split=split,
    actions=actions,
    grants=grants,
    options=ApprovalsOptions,
    secrets=SECRETS,
)
