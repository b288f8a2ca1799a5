"""What happens in a world, before any log format writes it down: a frame a kind of system, each row with its truth.

An emitter turns a frame into one log format; another format of the same kind of system reads the same frame.
All times are naive UTC with microseconds; sizes are bytes as the caller sees them (`bytes_out` it sent).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import polars as pl

_AT = pl.Datetime("us")

TRUTH: dict[str, pl.DataType | type[pl.DataType]] = {
    "event": pl.String,  # unique in the world; where the log has ids of its own (eventID, uuid) it is that id
    "at": _AT,  # when it began
    "worker": pl.String,  # null: a person or a service
    "delegator": pl.String,  # the person it was done for, as the manifest would name her (mail:addr/...)
    "run": pl.String,  # one run of one worker, over all systems
    "incident": pl.String,  # the attack that it belongs to
    "lookalike": pl.String,  # the hard negative that it belongs to
}

SESSION: dict[str, pl.DataType | type[pl.DataType]] = {
    "identity_type": pl.String,  # AssumedRole, IAMUser, WebIdentityUser, SAMLUser, AWSService, AWSAccount, Root
    "caller_account": pl.String,
    "principal_id": pl.String,
    "arn": pl.String,
    "access_key": pl.String,
    "user_name": pl.String,
    "issuer_arn": pl.String,  # the role of an assumed role, with its path
    "issuer_id": pl.String,
    "session_created": _AT,
    "provider": pl.String,  # of a web identity
    "source_identity": pl.String,
    "invoked_by": pl.String,
    "mfa": pl.Boolean,
    "console": pl.Boolean,
}
"""Who signs an AWS call."""

CALLS: dict[str, pl.DataType | type[pl.DataType]] = {
    **TRUTH,
    **SESSION,
    "service": pl.String,  # s3
    "operation": pl.String,  # GetObject
    "is_data": pl.Boolean,  # a data event (false: a management event)
    "read_only": pl.Boolean,
    "region": pl.String,
    "account": pl.String,  # the account whose trail has the record
    "address": pl.String,
    "agent": pl.String,
    "resource": pl.String,  # ARN of the main resource, null where the call names none
    "request": pl.String,  # JSON of requestParameters
    "response": pl.String,  # JSON of responseElements
    "error_code": pl.String,
    "error_message": pl.String,
    "bytes_out": pl.Int64,
    "bytes_in": pl.Int64,
    "duration_ms": pl.Int64,
    "shared_id": pl.String,  # sharedEventID of cross-account twins
}
"""AWS API calls (`event` is the eventID)."""

REQUESTS: dict[str, pl.DataType | type[pl.DataType]] = {
    **TRUTH,
    "elapsed_ms": pl.Int64,
    "client": pl.String,  # address
    "user": pl.String,
    "method": pl.String,  # CONNECT: a tunnel
    "scheme": pl.String,
    "host": pl.String,
    "port": pl.Int64,
    "path": pl.String,  # with the query; null in a tunnel
    "status": pl.Int64,
    "decision": pl.String,  # forwarded, cached, denied, aborted
    "bytes_out": pl.Int64,
    "bytes_in": pl.Int64,
    "mime": pl.String,
    "agent": pl.String,
}
"""Requests through a forward proxy."""

ISSUINGS: dict[str, pl.DataType | type[pl.DataType]] = {
    **TRUTH,
    # token_granted, token_refused, token_revoked, login, login_failed, key_created, app_created, app_granted,
    # member_added, policy_changed, log_exported
    "kind": pl.String,
    "client_id": pl.String,
    "client_name": pl.String,
    "user_id": pl.String,
    "user_mail": pl.String,
    "user_name": pl.String,
    "target_id": pl.String,  # what else it was done to: an app, a group, another user
    "target_type": pl.String,
    "target_name": pl.String,
    "grant_type": pl.String,
    "scopes": pl.String,  # separated by spaces
    "token_id": pl.String,
    "expires_at": _AT,
    "address": pl.String,
    "agent": pl.String,
    "session": pl.String,
    "transaction": pl.String,
    "reason": pl.String,
}
"""What a token issuer did (`event` is the log's uuid)."""


def frame(
    schema: dict[str, pl.DataType | type[pl.DataType]], columns: dict[str, object] | pl.DataFrame
) -> pl.DataFrame:
    """`columns` brought to `schema`; single values are spread over all rows, absent columns are null."""
    if isinstance(columns, pl.DataFrame):
        found = columns
    else:
        lists = {
            name: value for name, value in columns.items() if not isinstance(value, str) and hasattr(value, "__len__")
        }
        found = pl.DataFrame(lists)
        found = found.with_columns(pl.lit(columns[name]).alias(name) for name in columns if name not in lists)
    unknown = set(found.columns) - set(schema)
    if unknown:
        raise ValueError(f"no such columns: {sorted(unknown)}")
    return found.select(
        (pl.col(name) if name in found.columns else pl.lit(None)).cast(kind).alias(name)
        for name, kind in schema.items()
    )


@dataclass(frozen=True)
class Happenings:
    """Some of what happened, in no order."""

    calls: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=CALLS))
    requests: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=REQUESTS))
    issuings: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=ISSUINGS))

    @staticmethod
    def all_of(parts: Iterable[Happenings]) -> Happenings:
        """All parts as one."""
        each = list(parts)
        return Happenings(
            pl.concat([pl.DataFrame(schema=CALLS), *(one.calls for one in each)]),
            pl.concat([pl.DataFrame(schema=REQUESTS), *(one.requests for one in each)]),
            pl.concat([pl.DataFrame(schema=ISSUINGS), *(one.issuings for one in each)]),
        )

    def labelled(self, *, incident: str | None = None, lookalike: str | None = None) -> Happenings:
        """The same with every row part of an attack or of a hard negative."""
        labels = [pl.lit(incident, pl.String).alias("incident"), pl.lit(lookalike, pl.String).alias("lookalike")]
        return Happenings(
            self.calls.with_columns(labels), self.requests.with_columns(labels), self.issuings.with_columns(labels)
        )
