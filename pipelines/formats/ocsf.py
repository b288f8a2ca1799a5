"""OCSF events as they are: one event of the Open Cybersecurity Schema Framework, version 1.x, a record.

Proves: who acted with which session or delegation, as far as whoever wrote the event checked it. A name is proven only
where the source says `authenticated: true`, and never on a failed logon. A successful Logon shows whose a session is, a
Logoff ends it, and a delegation with `parent_uid` comes from that one (proven only with its `issuer_uid`).

Cannot see: what the producer left out or put into `unmapped` and `raw_data`, which are not read. Findings (2xxx), what
happens on a host (1xxx), inventories (5xxx) and base events (0) are skipped. An assumed role without `session.issuer`
has lost its path and stays its unique id. Parquet, as Security Lake stores it, has to be written out as JSON first.

Sources: the schema of 1.0.0 to 1.8.0 (https://schema.ocsf.io, github.com/ocsf/ocsf-schema): API Activity (6003), HTTP
Activity (4002), Authentication (3002), the objects actor, user, session, network_traffic (`bytes_out` goes from source
to destination), ai_agent and delegation; the CloudTrail mappings of github.com/ocsf/examples (`user.uid` is the ARN
since 1.1.0, `user.uuid` before; `user.credential_uid` the access key id).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO

import pyarrow as pa

from pipelines.formats import ocsf_sql, one_batch, record_sql
from pipelines.formats.format import GRANTS_OUT, Format, Options, Secret, Split, action_rows, rows
from pipelines.formats.splitting import json_values


class OcsfOptions(Options):
    """`authenticated` says that whoever wrote these events checked the names in them."""

    authenticated: bool = False


def split(stream: BinaryIO, at_rest: bool, options: OcsfOptions) -> Iterator[Split]:  # noqa: ARG001
    """One record an event: an array, one event a line, or `{"events": [...]}`."""
    return json_values(stream, at_rest, ("events",))


def actions(records: pa.Table, options: OcsfOptions) -> pa.Table:
    """RECORDS_IN to ACTIONS_OUT: one row a record; times are UTC, sizes bytes."""
    with one_batch.connect() as connection:
        record_sql.parse(connection, records, ocsf_sql.EVENT)
        connection.execute(f"CREATE TEMP TABLE events AS {ocsf_sql.events_sql(options.authenticated)}")
        found = connection.execute(record_sql.told(ocsf_sql.COLUMNS)).to_arrow_table()
    return action_rows(found)


def grants(records: pa.Table, options: OcsfOptions) -> pa.Table:
    """RECORDS_IN to GRANTS_OUT: sessions that began or ended, delegations that came from others."""
    with one_batch.connect() as connection:
        telling = r"regexp_matches(raw, '\"(?:session|delegation)\"')"
        record_sql.parse(connection, records, ocsf_sql.EVENT, telling)
        connection.execute(f"CREATE TEMP TABLE events AS {ocsf_sql.events_sql(options.authenticated)}")
        return rows(connection.execute(ocsf_sql.GRANTS).to_arrow_table(), GRANTS_OUT)


_HEADERS = "authorization|proxy-authorization|cookie|set-cookie|x-api-key|api-key|x-auth-token|x-amz-security-token"

SECRETS = (
    # http_headers and http_cookies are lists of {name, value}; producers write either member first.
    Secret(rf'(?i)"name"\s*:\s*"(?:{_HEADERS})"\s*,\s*"value"\s*:\s*"(?:(?:bearer|basic|token)\s+)?((?:[^"\\]|\\.)+)"'),
    Secret(rf'(?i)"value"\s*:\s*"(?:(?:bearer|basic|token)\s+)?((?:[^"\\]|\\.)+)"\s*,\s*"name"\s*:\s*"(?:{_HEADERS})"'),
    Secret(r'(?i)"http_cookies"\s*:\s*\[\s*\{[^\]]*?"value"\s*:\s*"((?:[^"\\]|\\.)+)"'),
    Secret(
        r'(?i)"(?:secret|secret_key|token|bearer_token|session_token|api_key|passphrase)"\s*:\s*"((?:[^"\\]|\\.)+)"'
    ),
)

FORMAT = Format(
    name="ocsf",
    category="cloud",
    observes=frozenset(ocsf_sql.COLUMNS),
    id_scope="realm",
    split=split,
    actions=actions,
    grants=grants,
    options=OcsfOptions,
    secrets=SECRETS,
)
