"""Squid's access log: the native format and any `logformat` line of the proxy's configuration.

Proves: that a proxy user, where the source says `authenticated: true`, sent a request or held a tunnel to a host, from
an address, and when it ended; how many bytes the client was sent, and with `%>st` how many it sent.

Cannot see: what the client sent, in the native, common and combined formats; anything inside a tunnel but its host and
sizes, unless TLS is bumped; a tunnel that is still open. Names of requests that were refused prove nothing; addresses
may be those of `X-Forwarded-For` where indirect clients are logged (`log_uses_indirect_client`).

Sources: src/log/FormatSquidNative.cc, src/format/Format.cc and src/AccessLogEntry.cc of Squid 7. A line is written when
its transaction ends. `%<st` counts what the client was sent, `%>st` what the client sent, tunnelled bytes of a CONNECT
included; the native, common and combined formats have no count of uploads, so there `bytes_out` is unknown.

With TLS bumping one CONNECT line and its inner `https://` lines tell of the same bytes. `%ssl::bump_mode`
(`splice`, `bump`, `peek`, ...) says which CONNECT was opened; deeds are merged elsewhere (pipelines.ingest.deeds), by
host, user, address and time, so of the mode only `twin_rank` is kept.

The native format writes a user name's spaces as they are, behind the URL, which holds spaces too where
`uri_whitespace allow` is set. So of several words there only the last is surely the proxy's: it is taken as the name,
`asserted`, and the others as part of the URL. A proxy whose users have names with spaces should write `%#un`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO

import pyarrow as pa
from pydantic import field_validator

from pipelines.formats import http_secrets, one_batch
from pipelines.formats.format import GRANTS_OUT, Format, Options, Secret, Split, action_rows
from pipelines.formats.splitting import lines
from pipelines.formats.squid_logformat import compiled
from pipelines.formats.squid_sql import COLUMNS, actions_sql


class SquidOptions(Options):
    """`logformat` is the proxy's own line (native where it is null); `authenticated` says that it checks its users."""

    logformat: str | None = None
    authenticated: bool = False

    @field_validator("logformat")
    @classmethod
    def _readable(cls, line: str | None) -> str | None:
        compiled(line)
        return line


def split(stream: BinaryIO, at_rest: bool, options: SquidOptions) -> Iterator[Split]:  # noqa: ARG001
    """One record a line."""
    return lines(stream, at_rest)


def actions(records: pa.Table, options: SquidOptions) -> pa.Table:
    """Squid lines (RECORDS_IN) as OCSF HTTP Activity (ACTIONS_OUT); times are UTC, sizes bytes."""
    with one_batch.connect() as connection:
        connection.register("records", records)
        found = connection.execute(actions_sql(compiled(options.logformat), options.authenticated)).to_arrow_table()
    return action_rows(found)


def grants(records: pa.Table, options: SquidOptions) -> pa.Table:  # noqa: ARG001
    """No rows: a proxy sees credentials used, never made."""
    return GRANTS_OUT.empty_table()


# A header of log_mime_hdrs' blocks, from the block's or line's beginning to its `\r`. Loosely matched, a URL that
# ends in `cookie:` would take the user's name behind it for a secret, and hide who it was.
_HEADER = r"(?i)(?:\[|\\n)(?:{names}): *(?:{scheme}) *([^\\\[\]]+)\\r"

SECRETS = (
    *http_secrets.URLS,
    Secret(_HEADER.format(names="(?:proxy-)?authorization", scheme="[a-z0-9-]+")),
    Secret(_HEADER.format(names="(?:set-)?cookie|x-api-key|api-key|x-auth-token|x-amz-security-token", scheme="")),
)

FORMAT = Format(
    name="squid",
    category="proxy",
    observes=frozenset(COLUMNS),
    id_scope="none",
    split=split,
    actions=actions,
    grants=grants,
    options=SquidOptions,
    secrets=SECRETS,
    spaced=True,
)
