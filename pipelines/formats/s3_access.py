"""S3 server access log: each request to a bucket, with who made it, on which object, and the bytes that went out.

Proves: which role, user, account or service S3 took the caller for (not where its authentication failed); of a
presigned URL also the access key, since S3 itself says that the signature stood in the query.

Cannot see: the access key of any other request (the request id is that of CloudTrail's data event, which names it),
a role's path (see `aws_callers`), sizes of requests other than uploads. Delivery is hours late and best effort: lines
may be missing or come twice, so an absence means nothing. It proves no grant.

Sources: Amazon S3 User Guide, "Amazon S3 server access log format" (fields by position, new ones are appended; `-` is
unknown, and zero for bytes sent). Names of operations are CloudTrail's, so that one manifest covers both logs; what
has no such name stays as it is. The variant that CloudWatch Logs delivers (JSON) is not read.

Times are when S3 received the request, to the second. Bytes sent by S3 are the caller's `bytes_in`; the object's size
is what the caller sent in an upload. Request, referer and user agent are the caller's words in quotes, which may hold
quotes themselves: where they can be read in two ways, what stands behind the request is unknown.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO

import pyarrow as pa

from pipelines.formats import one_batch, s3_access_sql
from pipelines.formats.format import GRANTS_OUT, Format, Options, Secret, Split, action_rows
from pipelines.formats.splitting import lines


def split(stream: BinaryIO, at_rest: bool, options: Options) -> Iterator[Split]:  # noqa: ARG001
    """One record a line."""
    return lines(stream, at_rest)


def actions(records: pa.Table, options: Options) -> pa.Table:  # noqa: ARG001
    """RECORDS_IN to ACTIONS_OUT: one row a line; times are UTC, sizes bytes."""
    with one_batch.connect() as connection:
        connection.register("records", records)
        found = connection.execute(s3_access_sql.actions_sql()).to_arrow_table()
    return action_rows(found)


def grants(records: pa.Table, options: Options) -> pa.Table:  # noqa: ARG001
    """No rows: the log sees credentials used, never made."""
    return GRANTS_OUT.empty_table()


_PARAMETERS = (
    "x-amz-signature|x-amz-security-token|signature|access_token|id_token|refresh_token|auth_token|session_token|token"
    "|jwt|code|sig|assertion|client_secret|secret|api[_-]?key|apikey|key|password|passwd|pwd|pass|passcode"
)

SECRETS = (
    # Presigned URLs in the request, tokens in the referer's query.
    Secret(rf"(?i)(?:[?&;]|%3f|%26)(?:{_PARAMETERS})(?:=|%3d)([^&\s\"'#;]+)"),
    Secret(r"://[^/\s:@?#\"]*:([^/\s?#\"@]+)@"),
)

FORMAT = Format(
    name="s3_access",
    category="cloud",
    observes=s3_access_sql.ACTION_COLUMNS,
    id_scope="world",
    split=split,
    actions=actions,
    grants=grants,
    secrets=SECRETS,
    spaced=True,
)
