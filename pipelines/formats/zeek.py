r"""Zeek's `conn`, `http` and `ssl` logs, as JSON or tab-separated with their headers; other logs are passed over.

Proves: that a connection stood between two addresses and ports at a time, and how many bytes went each way, as a sensor
on the wire saw it: neither end can leave a trace out, and no proxy's word is needed.

Cannot see: who is behind an address (a `username` is what somebody sent in HTTP Basic, checked by nobody here); what is
within TLS, but for the name that the client asked for (`server_name`, its own choice, and absent with ECH); the
host of a connection whose protocol it does not know. The name of a TLS connection is in `ssl`, its size in
`conn`: of the records of one connection the named one is primary, so the sizes of `conn` count where nothing else tells
of the connection. HTTP sizes are those of the bodies.

Sources: base/protocols/conn, http and ssl (main.zeek), base/frameworks/logging/writers/ascii.zeek (docs.zeek.org): `ts`
is the start, `duration` seconds reach to the last packet, `orig` is who opened the connection; `-` is unset, `(empty)`
empty, other bytes than text are written as `\xHH`. Keys of JSON may be `id.orig_h`, `id_orig_h` or nested.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, BinaryIO, Literal

import pyarrow as pa

from pipelines.formats import http_read, http_secrets, http_sql, zeek_split
from pipelines.formats.format import GRANTS_OUT, Format, Options, Secret, Split
from pipelines.identifiers import Sql


class ZeekOptions(Options):
    """`path` and `fields` are what `#path` and `#fields` would say, for tab-separated logs without a header."""

    path: Literal["conn", "http", "ssl"] | None = None
    fields: tuple[str, ...] = ()


def split(stream: BinaryIO, at_rest: bool, options: ZeekOptions) -> Iterator[Split]:  # noqa: ARG001
    """One record a line, tab-separated ones with their header."""
    return zeek_split.split(stream, at_rest)


def actions(records: pa.Table, options: ZeekOptions) -> pa.Table:
    """Zeek's records (RECORDS_IN) as OCSF HTTP or Network Activity (ACTIONS_OUT); times are UTC, sizes bytes."""
    told = f"(SELECT *, {_path()} AS log FROM ({_objects()} UNION ALL {_lines(options)}))"
    return http_read.actions(records, http_sql.select(_columns(), told))


def grants(records: pa.Table, options: ZeekOptions) -> pa.Table:  # noqa: ARG001
    """No rows: what is seen on the wire uses credentials, and makes none."""
    return GRANTS_OUT.empty_table()


_FIELDS = (
    "ts", "uid", "id.orig_h", "id.orig_p", "id.resp_h", "id.resp_p", "service", "duration", "orig_bytes", "resp_bytes",
    "conn_state", "trans_depth", "method", "host", "uri", "user_agent", "request_body_len", "response_body_len",
    "status_code", "username", "server_name", "established", "last_alert", "cipher",
)  # fmt: skip
"""The fields that are read; as SQL columns their dots are underscores."""


def _objects() -> str:
    """SELECT of the records that are JSON; each is read once, into a struct."""
    wanted: dict[str, Any] = {"_path": "VARCHAR", "@stream": "VARCHAR", "id": {}}
    found = []
    for name in _FIELDS:
        spellings = [f'e."{name}"']
        wanted[name] = "VARCHAR"
        if name.startswith("id."):
            inner = name.removeprefix("id.")
            wanted[_column(name)] = wanted["id"][inner] = "VARCHAR"
            spellings += [f"e.{_column(name)}", f"e.id.{inner}"]
        found.append(http_sql.known(f"coalesce({', '.join(spellings)})") + f" AS {_column(name)}")
    return f"""
        SELECT record_id, realm, coalesce(e._path, e."@stream") AS named, {", ".join(found)},
               CASE WHEN e IS NULL THEN 'not a JSON object' END AS unread
        FROM (SELECT record_id, realm, json_transform(body, '{json.dumps(wanted)}') AS e
              FROM (SELECT record_id, realm,
                           CASE WHEN json_valid(raw) AND json_type(raw) = 'OBJECT' THEN raw END AS body
                    FROM records WHERE {_IS_JSON}))
    """


_IS_JSON = "regexp_matches(coalesce(raw, ''), '^\\s*\\{')"


def _lines(options: ZeekOptions) -> str:
    """SELECT of the records that are lines of values behind their header."""
    separator = r"CASE WHEN sep = '' THEN chr(9) ELSE chr(CAST('0x' || sep AS INTEGER)) END"
    given = "[" + ", ".join("'" + name.replace("'", "''") + "'" for name in options.fields) + "]"
    path = f"'{options.path}'" if options.path else "NULL"
    found = [f"{_value(name)} AS {_column(name)}" for name in _FIELDS]
    return rf"""
        SELECT record_id, realm, named, {", ".join(found)},
               CASE WHEN trim(line) = '' THEN 'the line is blank'
                    WHEN len(names) = 0 THEN 'no #fields above the line; write the fields into the source'
                    WHEN len(names) <> len(vals) THEN 'it has ' || len(vals) || ' values, its header names '
                         || len(names) || ' fields' END AS unread
        FROM (
            SELECT record_id, realm, line, unset, empty, coalesce(nullif(path, ''), {path}) AS named,
                   CASE WHEN head = '' THEN {given}
                        ELSE string_split(substr(head, 9), {separator}) END AS names,
                   string_split(line, {separator}) AS vals
            FROM (
                SELECT record_id, realm,
                       regexp_extract(coalesce(raw, ''), '([^\n]*)\s*$', 1) AS line,
                       regexp_extract(coalesce(raw, ''), '(?m)^(#fields.[^\n]+)$', 1) AS head,
                       regexp_extract(coalesce(raw, ''), '(?m)^#separator \\x([0-9A-Fa-f]{{2}})$', 1) AS sep,
                       regexp_extract(coalesce(raw, ''), '(?m)^#path.([^\n]+)$', 1) AS path,
                       coalesce(nullif(regexp_extract(coalesce(raw, ''), '(?m)^#unset_field.([^\n]+)$', 1), ''), '-')
                           AS unset,
                       regexp_extract(coalesce(raw, ''), '(?m)^#empty_field.([^\n]+)$', 1) AS empty
                FROM records WHERE NOT {_IS_JSON})
        )
    """


def _column(name: str) -> str:
    return name.replace(".", "_")


def _value(name: str) -> str:
    """A value of a line by its field's name, decoded; null where it is unset or empty."""
    text = f"vals[list_position(names, '{name}')]"
    present = f"CASE WHEN {text} NOT IN (unset, empty, '') THEN {text} END"
    return http_sql.unescaped(present, r"\\x")


def _path() -> str:
    """Which log a record is of: as it says, else by fields that no other log has."""
    return """coalesce(nullif(regexp_replace(named, '[.]log$', ''), ''),
        CASE WHEN conn_state IS NOT NULL THEN 'conn'
             WHEN request_body_len IS NOT NULL OR (trans_depth IS NOT NULL AND uri IS NOT NULL) THEN 'http'
             WHEN established IS NOT NULL AND (server_name IS NOT NULL OR cipher IS NOT NULL) THEN 'ssl' END)"""


def _columns() -> Mapping[str, str]:
    is_http = "log = 'http'"
    # A request to a proxy names its destination itself; the other end of the connection is the proxy.
    proxied = f"{is_http} AND (method = 'CONNECT' OR regexp_matches(uri, '^[A-Za-z][A-Za-z0-9+.-]*://'))"
    user = Sql.uid("proxy:user", f"CASE WHEN {is_http} THEN username END", "realm")
    # Zeek writes JSON times as seconds, milliseconds or ISO 8601 (LogAscii::json_timestamps).
    micros = f"""CASE WHEN regexp_matches(ts, '^[0-9]{{12,14}}$') THEN CAST(ts AS BIGINT) * 1000
        ELSE coalesce({http_sql.rfc3339("ts")}, {http_sql.seconds("ts")}) END"""
    return {
        "native_id": "log || ':' || uid || ':' || coalesce(trans_depth, '') || '@' || ts",
        "micros": micros,
        "time_kind": "'start'",
        "time_precision": "'1ms'",
        "method": f"CASE WHEN {is_http} THEN upper(method) END",
        "url": f"CASE WHEN {is_http} THEN uri END",
        "port": f"CASE WHEN {proxied} THEN NULL ELSE id_resp_p END",
        "host_header": f"CASE WHEN {is_http} AND ({proxied}) IS NOT TRUE THEN host END",
        "sni": "CASE WHEN log = 'ssl' THEN server_name END",
        "client": "id_orig_h",
        "client_port": "id_orig_p",
        "peer": f"CASE WHEN {proxied} THEN NULL ELSE id_resp_h END",
        "agent": f"CASE WHEN {is_http} THEN user_agent END",
        "principal": user,
        "principal_type": f"CASE WHEN {user} IS NOT NULL THEN 'user' END",
        "identity_strength": "'asserted'",
        "code": f"CASE WHEN {is_http} THEN status_code END",
        "failed": """CASE log WHEN 'conn' THEN conn_state IN ('S0', 'REJ', 'RSTOS0', 'RSTRH', 'SH', 'SHR')
            WHEN 'ssl' THEN lower(established) NOT IN ('true', 't') END""",
        "raw_stream": f"NOT ({is_http})",
        "problem": "CASE log WHEN 'conn' THEN 'connection state ' || conn_state WHEN 'ssl' THEN last_alert END",
        "duration_ms": "CASE WHEN log = 'conn' THEN try_cast(duration AS DOUBLE) * 1000 END",
        "bytes_out": "CASE log WHEN 'conn' THEN orig_bytes WHEN 'http' THEN request_body_len END",
        "bytes_in": "CASE log WHEN 'conn' THEN resp_bytes WHEN 'http' THEN response_body_len END",
        "twin_uid": "CASE WHEN log <> 'http' OR trans_depth = '1' THEN 'zeek/' || realm || '/' || uid END",
        "twin_rank": "CASE log WHEN 'http' THEN CASE WHEN trans_depth = '1' THEN 0 END WHEN 'ssl' THEN 1 ELSE 2 END",
        "fault": "CASE WHEN unread IS NOT NULL THEN unread"
        " WHEN log IS NULL AND uid IS NULL THEN 'neither _path nor the fields of conn, http or ssl' END",
        "idle": "CASE WHEN coalesce(log, '') NOT IN ('conn', 'http', 'ssl') AND unread IS NULL"
        " AND coalesce(log, uid) IS NOT NULL THEN 'another log of Zeek than conn, http and ssl' END",
    }


_PASSWORD_PLACES = range(19, 26)
"""Which field `password` may be of an http log, from 0; it is 22 of Zeek 3 to 8, less before."""

_DONE = "hmac:"
_PASSWORD = "|".join(
    [
        r"[^\t\nh-][^\t\n]*|-[^\t\n]+",
        *(rf"{_DONE[:at]}[^\t\n{_DONE[at]}][^\t\n]*|{_DONE[:at]}" for at in range(1, len(_DONE))),
    ]
)
"""A value that is set and not replaced yet: a pattern from the header on would hide the other secrets of a record."""

FORMAT = Format(
    name="zeek",
    category="proxy",
    observes=http_sql.ALWAYS | {"principal", "principal_type", "identity_strength", "twin_uid", "twin_rank"},
    id_scope="realm",
    split=split,
    actions=actions,
    grants=grants,
    options=ZeekOptions,
    secrets=(
        *http_secrets.URLS,
        *(
            Secret(
                rf"#fields(?:\t[^\t\n]+){{{at}}}\tpassword\t[^\n]*\n(?:#[^\n]*\n)*(?:[^\t\n]*\t){{{at}}}({_PASSWORD})\t"
            )
            for at in _PASSWORD_PLACES
        ),
    ),
)
