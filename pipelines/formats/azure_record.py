"""Reading what Azure Monitor and Microsoft Graph write: envelopes opened, ids spelled alike. No format of its own.

Two shapes carry the same event: the envelope of diagnostic settings (Event Hub, storage account), whose `properties`
are the event, and the answer of the Graph API, which is the event alone. Collectors also write the envelope's keys in
lower case, and `properties` as a string of JSON.

Sources: "Resource log schema" (Azure Monitor), "signIn resource type" (Microsoft Graph), MSIdentityTools'
ConvertFrom-MsIdUniqueTokenIdentifier for the two encodings of a token's id.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, BinaryIO

import duckdb
import pyarrow as pa

from pipelines.formats import one_batch
from pipelines.formats.format import Options, Secret, Split, action_rows
from pipelines.formats.record_sql import id_of, moment, told
from pipelines.formats.splitting import json_values

ENVELOPE = (
    "time", "category", "operationName", "tenantId", "correlationId", "callerIpAddress", "resultType",
    "resultSignature", "resultDescription", "resourceId",
)  # fmt: skip
"""Keys of the envelope that are read; each is a column of `records`, in snake case."""

_GUID = "[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}"

MACROS = (
    # A GUID has one spelling, that of zeros is none; other ids stay as they are written.
    f"""guid(v) AS CASE WHEN v = '00000000-0000-0000-0000-000000000000' THEN NULL
        WHEN regexp_full_match(v, '{_GUID}') THEN lower(v) ELSE v END""",
    # Where 16 bytes are written as hex, the GUID that .NET reads in them: its first three fields are little-endian.
    """swapped(h) AS lower(concat(h[7:8], h[5:6], h[3:4], h[1:2], '-', h[11:12], h[9:10], '-', h[15:16], h[13:14], '-',
        h[17:20], '-', h[21:32]))""",
    # A token's id: a GUID, base64 of its text (older sign-ins), or base64url of its bytes (the claim `uti`).
    f"""token_guid(v) AS CASE
        WHEN regexp_full_match(v, '{_GUID}') THEN lower(v)
        WHEN regexp_full_match(v, '[A-Za-z0-9+/]{{48}}')
             AND regexp_full_match(TRY(decode(from_base64(v))), '{_GUID}') THEN lower(TRY(decode(from_base64(v))))
        WHEN regexp_full_match(v, '[A-Za-z0-9_+/-]{{22}}(?:==)?')
        THEN coalesce(swapped(hex(TRY(from_base64(replace(replace(v[1:22], '-', '+'), '_', '/') || '==')))), v)
        ELSE v END""",
)  # fmt: skip
"""Small words that the formats' SQL is written in."""


def split(stream: BinaryIO, at_rest: bool, options: Options) -> Iterator[Split]:  # noqa: ARG001
    """One record an event: lines, arrays, Event Hub's `records`, the API's `value`."""
    return json_values(stream, at_rest, keys=("records", "value"))


def read(
    connection: duckdb.DuckDBPyConnection, records: pa.Table, shape: dict[str, Any], steps: dict[str, str],
    telling: str = "",
) -> None:  # fmt: skip
    """Make the table `opened`, a row a record, and then the tables of `steps`, each a SELECT, in order.

    Columns of `opened`: record_id, realm, valid (whether it is a JSON object), has_properties, the envelope's
    (`ENVELOPE` in snake case, null where the API's answer has none), raw, and `e`, the event as a struct of `shape`.
    With `telling`, an RE2 pattern, records whose text does not match it are left out.
    """
    connection.register("given", records)
    for macro in MACROS:
        connection.execute(f"CREATE TEMP MACRO {macro}")
    for name, step in {"opened": _opened(shape, telling), **steps}.items():
        connection.execute(f"CREATE TEMP TABLE {name} AS {step}")


def _opened(shape: dict[str, Any], telling: str) -> str:
    paths = [f"$.{key}" for key in ENVELOPE] + [f"$.{key.lower()}" for key in ENVELOPE]
    count = len(ENVELOPE)
    columns = ", ".join(
        f"coalesce(found[{place}], found[{place + count}]) AS {snake(key)}" for place, key in enumerate(ENVELOPE, 1)
    )
    where = f"WHERE regexp_matches(raw, '{telling}')" if telling else ""
    return f"""
        SELECT record_id, realm, raw, valid, properties IS NOT NULL AS has_properties, {columns},
               json_transform(coalesce(properties, object), '{json.dumps(shape)}') AS e
        FROM (
            SELECT record_id, realm, raw, object, coalesce(json_type(object) = 'OBJECT', false) AS valid,
                   json_extract_string(object, {paths}) AS found,
                   CASE json_type(object, '$.properties')
                        WHEN 'OBJECT' THEN CAST(json_extract(object, '$.properties') AS VARCHAR)
                        WHEN 'VARCHAR' THEN CASE WHEN json_valid(json_extract_string(object, '$.properties'))
                                                 THEN json_extract_string(object, '$.properties') END
                        END AS properties
            FROM (SELECT record_id, realm, raw, CASE WHEN json_valid(raw) THEN raw END AS object FROM given {where})
        )
    """


def snake(key: str) -> str:
    """`operationName` is `operation_name`."""
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in key)


def first(*texts: str) -> str:
    """SQL: the first of these that is an id; GUIDs in lower case."""
    return f"guid(coalesce({', '.join(id_of(text) for text in texts)}))"


def moment_of(*texts: str) -> str:
    """SQL: the first of these texts that is a time."""
    return f"coalesce({', '.join(moment(text) for text in texts)})"


def actions(
    records: pa.Table, shape: dict[str, Any], steps: dict[str, str], columns: dict[str, str]
) -> pa.Table:  # fmt: skip
    """ACTIONS_OUT: a row a record, out of the step `events` (see `record_sql.told`)."""
    with one_batch.connect() as connection:
        read(connection, records, shape, steps)
        found = connection.execute(told(columns)).to_arrow_table()
    return action_rows(found)


def address(text: str) -> str:
    """SQL: an address without its port; `0.0.0.0` is written where there is none."""
    bare = rf"regexp_replace({text}, '^(?:([0-9.]+)|\[(.+)\]):[0-9]+$', '\1\2')"
    return f"CASE WHEN {text} NOT IN ('', '-', '0.0.0.0', '::') THEN {bare} END"


_NAMES_OF_SECRETS = (
    "access_?token|refresh_?token|id_?token|client_?secret|secret_?text|secret_?value|password|admin_?password"
    "|administrator_?login_?password|account_?key|primary_?key|secondary_?key|primary_?connection_?string"
    "|secondary_?connection_?string|connection_?string|access_?key|shared_?access_?key|sas_?token|access_?sas"
    "|custom_?data|user_?data|client_?assertion|assertion|private_?key|protected_?settings|otp|pass_?code"
    "|temporary_?access_?pass|service_?account_?key|api_?key"
)

SECRETS = (
    Secret(rf'(?i)"(?:{_NAMES_OF_SECRETS})"\s*:\s*"((?:[^"\\]|\\.)+)"'),
    # The same in requestbody, responseBody and modifiedProperties, which are strings of JSON.
    Secret(rf'(?i)\\"(?:{_NAMES_OF_SECRETS})\\"\s*:\s*\\"((?:[^"\\]|\\\\(?:\\"|\\\\|[^"\\]))+)\\"'),
    # The keys that listKeys hands out.
    Secret(r'(?i)\\?"keyName\\?"\s*:\s*\\?"[^"\\]+\\?"\s*,\s*(?:\\?"permissions\\?"\s*:\s*\\?"[^"\\]+\\?"\s*,\s*)?'
           r'\\?"value\\?"\s*:\s*\\?"([^"\\]+)'),
    # Shared access signatures and keys, in URLs and connection strings, wherever they stand.
    Secret(r"""(?i)[?&;]sig=([^&"'\\\s<>;]+)"""),
    Secret(r"""(?i)(?:AccountKey|SharedAccessKey|SharedAccessSignature)=([^;"'\\\s<>]+)"""),
)  # fmt: skip
"""Places where these logs write secrets; each of the formats has them all."""
