"""SQL (DuckDB) that the proxy formats share: from what a record says of one exchange to the columns of an action."""

from __future__ import annotations

from collections.abc import Mapping

COLUMNS = (
    "native_id", "time", "time_kind", "time_precision", "class_uid", "activity", "principal", "principal_type",
    "credential_uid", "credential_type", "identity_strength", "src_ip", "src_port", "user_agent", "http_method",
    "dst_host", "dst_port", "dst_ip", "url_path", "status", "status_code", "error", "duration_ms", "bytes_out",
    "bytes_in", "request_uid", "trace_uid", "twin_uid", "twin_rank",
)  # fmt: skip
"""The action columns that `actions_sql` tells."""

ALWAYS = frozenset(
    {
        "time", "time_kind", "time_precision", "class_uid", "activity", "src_ip", "src_port", "user_agent",
        "http_method", "dst_host", "dst_port", "dst_ip", "url_path", "status", "status_code", "error", "duration_ms",
        "bytes_out", "bytes_in",
    }
)  # fmt: skip
"""Those that every proxy format can fill."""

_TEXT = "VARCHAR"
FIELDS = {
    "fault": _TEXT, "idle": _TEXT, "native_id": _TEXT,
    "micros": "BIGINT", "time_kind": _TEXT, "time_precision": _TEXT,
    "method": _TEXT, "url": _TEXT, "scheme": _TEXT, "host": _TEXT, "port": _TEXT, "path": _TEXT, "host_header": _TEXT,
    "sni": _TEXT, "client": _TEXT, "client_port": _TEXT, "peer": _TEXT, "peer_port": _TEXT, "agent": _TEXT,
    "principal": _TEXT, "principal_type": _TEXT, "credential_uid": _TEXT, "credential_type": _TEXT,
    "identity_strength": _TEXT,
    "code": _TEXT, "refused": "BOOLEAN", "failed": "BOOLEAN", "passed": "BOOLEAN", "raw_stream": "BOOLEAN",
    "problem": _TEXT,
    "duration_ms": "DOUBLE", "bytes_out": _TEXT, "bytes_in": _TEXT,
    "request_id": _TEXT, "traceparent": _TEXT, "twin_uid": _TEXT, "twin_rank": "BIGINT",
}  # fmt: skip
"""What `actions_sql` reads of a record, and the types; sizes and ports are texts as they were logged.

`micros`: the time, in microseconds since 1970, UTC. `fault`: why the record is none of the format's. `idle`: why it is
passed over. `raw_stream`: bytes of a connection, not HTTP. `refused`, `failed` and `passed`: the log says so besides
the status `code`; `problem` is its word for it. `peer`: the address that the proxy went to. `identity_strength`: what
the principal is where it is not refused.
"""


def select(columns: Mapping[str, str], source: str) -> str:
    """SELECT of FIELDS out of `source`, a FROM clause; those that `columns` does not tell are null."""
    named = [f"CAST({columns.get(name, 'NULL')} AS {kind}) AS {name}" for name, kind in FIELDS.items()]
    return f"SELECT record_id, realm, {', '.join(named)} FROM {source}"


def known(text: str, *null_words: str) -> str:
    """A text without the words that stand for nothing: `-` and the empty text, and those given."""
    words = ", ".join(f"'{word}'" for word in ("-", "", *null_words))
    return f"CASE WHEN {text} NOT IN ({words}) THEN {text} END"


def address_of(place: str) -> str:
    """The address of `ADDRESS:PORT`, `[IPV6]:PORT`, `IPV6:PORT` or a bare address."""
    return rf"regexp_replace({place}, '^(\[.*\]|[^:]*|.*:.*):([0-9]+)$', '\1')"


def port_of(place: str) -> str:
    """The port of an `ADDRESS:PORT`, null where there is none."""
    return rf"nullif(regexp_extract({place}, '^(?:\[.*\]|[^:]*|.*:.*):([0-9]+)$', 1), '')"


def unescaped(text: str, mark: str) -> str:
    r"""Bytes that a log writes as `mark` and two hex digits (`\\x` with nginx and Zeek, `#` with HAProxy) as they were.

    `mark` is a pattern. Bytes that are no UTF-8 cannot be shown: such a text stays as it was written.
    """
    hexed = f"regexp_replace(replace({text}, '%', '%25'), '{mark}([0-9A-Fa-f]{{2}})', '%\\1', 'g')"
    return (
        f"CASE WHEN regexp_matches({text}, '{mark}[0-9A-Fa-f]{{2}}') THEN coalesce(try(url_decode({hexed})), {text})"
        f" ELSE {text} END"
    )


def moment(micros: str) -> str:
    """A TIMESTAMP of microseconds since 1970, null outside 1970 to 9999."""
    return f"CASE WHEN {micros} BETWEEN 0 AND 253402300799999999 THEN make_timestamp({micros}) END"


def seconds(text: str) -> str:
    """Microseconds since 1970 of a text of seconds with any fraction. Wide decimals would take 30 times as long."""
    whole, fraction = f"split_part({text}, '.', 1)", f"rpad(split_part({text}, '.', 2), 6, '0')[:6]"
    return (
        f"CASE WHEN regexp_matches({text}, '^[0-9]{{1,11}}(?:[.][0-9]*)?$')"
        f" THEN CAST({whole} AS BIGINT) * 1000000 + CAST({fraction} AS BIGINT)"
        f" ELSE try_cast(try_cast({text} AS DOUBLE) * 1e6 AS BIGINT) END"
    )


def rfc3339(text: str) -> str:
    """Microseconds since 1970 of an RFC 3339 text that says its zone."""
    return (
        f"CASE WHEN regexp_matches({text}, '(?:[Zz]|[+-][0-9]{{2}}:?[0-9]{{2}})$')"
        f" THEN epoch_us(try_cast({text} AS TIMESTAMPTZ)) END"
    )


def port(number: str) -> str:
    """A number that can be a port, else null."""
    return f"CASE WHEN {number} BETWEEN 1 AND 65535 THEN {number} END"


def count(number: str) -> str:
    """A whole number that is not negative, else null."""
    return f"CASE WHEN try_cast({number} AS BIGINT) >= 0 THEN try_cast({number} AS BIGINT) END"


def activity(method: str = "method") -> str:
    """The method's name as OCSF's HTTP Activity (class 4002) says it."""
    names = ("CONNECT", "DELETE", "GET", "HEAD", "OPTIONS", "POST", "PUT", "TRACE", "PATCH")
    cases = " ".join(f"WHEN '{name}' THEN '{name.capitalize()}'" for name in names)
    return f"CASE {method} {cases} ELSE CASE WHEN {method} IS NULL THEN 'Unknown' ELSE 'Other' END END"


def trace(traceparent: str) -> str:
    """The identifier of a W3C `traceparent`; all zeros are none."""
    found = f"regexp_extract(lower({traceparent}), '^[0-9a-f]{{2}}-([0-9a-f]{{32}})-[0-9a-f]{{16}}-', 1)"
    return f"'trace:id/' || nullif(nullif({found}, '{'0' * 32}'), '')"


def urls(source: str) -> str:
    """`source` with `to_scheme`, `to_host`, `to_port`, `to_path`: where the request went.

    Read are method, url, scheme, host, port, path, host_header and sni. What precedes the last `@` of an authority is
    no host (RFC 3986, 3.2).
    """
    authority = r"^(\[[^\]]*\]|[^:/?#\[\s]*)(?::([0-9]*))?(/[^?#]*)?"
    header_port = "CASE WHEN aim.host = '' AND host IS NULL THEN regexp_extract(host_header, ':([0-9]+)$', 1) END"
    return f"""
        SELECT *,
               coalesce(nullif(aim.host, ''), host,
                        regexp_extract(host_header, '^(\\[[^\\]]*\\]|[^:]*)', 1), sni) AS to_host,
               coalesce(try_cast(nullif(aim.port, '') AS BIGINT), try_cast(port AS BIGINT),
                        try_cast({header_port} AS BIGINT),
                        CASE WHEN method = 'CONNECT' OR to_scheme IN ('https', 'wss') THEN 443
                             WHEN to_scheme IN ('http', 'ws') THEN 80 WHEN to_scheme = 'ftp' THEN 21 END) AS to_port,
               CASE WHEN method IS DISTINCT FROM 'CONNECT'
                    THEN coalesce(nullif(aim.path, ''), nullif(split_part(path, '?', 1), ''),
                                  CASE WHEN slashes > 0 THEN '/' END) END AS to_path
        FROM (
            SELECT *,
                   lower(CASE WHEN slashes > 0 THEN substr(url, 1, slashes - 1) ELSE scheme END) AS to_scheme,
                   regexp_extract(
                       CASE WHEN slashes > 0 AND contains(url, '@')
                            THEN regexp_replace(substr(url, slashes + 3), '^[^/?#]*@', '')
                            WHEN slashes > 0 THEN substr(url, slashes + 3)
                            WHEN starts_with(url, 'error:') THEN NULL
                            WHEN method = 'CONNECT' OR starts_with(url, '/')
                                 OR regexp_matches(url, '^[^/?#@]+:[0-9]+$') THEN url END,
                       '{authority}', ['host', 'port', 'path']) AS aim
            FROM (SELECT *, CASE WHEN starts_with(url, 'error:') OR method = 'CONNECT' THEN 0
                                 ELSE coalesce(strpos(regexp_extract(url, '^[A-Za-z][A-Za-z0-9+.-]*://'), '://'), 0)
                                 END AS slashes
                  FROM {source})
        )
    """


def actions_sql(fields: str) -> str:
    """One row a record in COLUMNS, with `outcome` and `reason`; `fields` is SQL of record_id, realm and FIELDS.

    A record that names neither a host nor a path nor an address that the proxy went to, and whose status says that no
    request could be read, is passed over.
    """
    columns = ", ".join(f"CASE WHEN fault IS NULL AND idle IS NULL THEN {name} END AS {name}" for name in COLUMNS)
    return f"""
        WITH fields AS ({fields}), urls AS ({urls("fields")}), told AS ({_told()})
        SELECT record_id, {columns}, coalesce(fault, idle) AS reason,
               CASE WHEN fault IS NOT NULL THEN 'error' WHEN idle IS NOT NULL THEN 'skipped' ELSE 'action' END
                   AS outcome
        FROM told
    """


def _told() -> str:
    status = """CASE WHEN refused OR number IN (401, 403, 407) THEN 'denied'
                     WHEN failed OR number >= 400 OR (number = 0 AND raw_stream IS NOT TRUE) THEN 'failure'
                     WHEN number BETWEEN 100 AND 399 OR raw_stream OR (passed AND number IS NULL) THEN 'success'
                     ELSE 'unknown' END"""
    return f"""
        SELECT record_id, native_id, {moment("micros")} AS time, time_kind, time_precision,
               CASE WHEN raw_stream THEN 4001 ELSE 4002 END AS class_uid,
               CASE WHEN raw_stream THEN 'Traffic' ELSE {activity()} END AS activity,
               principal, principal_type, credential_uid, credential_type,
               CASE WHEN coalesce(principal, credential_uid) IS NULL OR number IN (401, 407) THEN 'asserted'
                    ELSE coalesce(identity_strength, 'asserted') END AS identity_strength,
               client AS src_ip, {port("try_cast(client_port AS BIGINT)")} AS src_port, agent AS user_agent,
               method AS http_method, to_host AS dst_host,
               {port("coalesce(to_port, CASE WHEN raw_stream THEN try_cast(peer_port AS BIGINT) END)")} AS dst_port,
               peer AS dst_ip, to_path AS url_path, status,
               CASE WHEN number > 0 THEN CAST(number AS VARCHAR) END AS status_code,
               CASE WHEN status IN ('denied', 'failure') THEN problem END AS error,
               {count("round(duration_ms)")} AS duration_ms,
               {count("bytes_out")} AS bytes_out, {count("bytes_in")} AS bytes_in,
               request_id AS request_uid, {trace("traceparent")} AS trace_uid, twin_uid, twin_rank,
               CASE WHEN fault IS NOT NULL THEN fault WHEN idle IS NOT NULL THEN NULL
                    WHEN {moment("micros")} IS NULL THEN 'no time between 1970 and 9999 where its time is' END
                   AS fault,
               CASE WHEN idle IS NOT NULL THEN idle
                    WHEN principal IS NULL AND number = 407 AND refused
                    THEN 'the challenge before authentication, without a name'
                    WHEN to_host IS NULL AND to_path IS NULL AND peer IS NULL
                         AND CASE WHEN raw_stream THEN coalesce(bytes_out, '0') = '0' AND bytes_in = '0'
                                  ELSE coalesce(number, 0) IN (0, 400, 408, 499) END
                    THEN 'no request came of the connection' END AS idle
        FROM (SELECT *, {status} AS status
              FROM (SELECT *, try_cast(code AS INTEGER) AS number FROM urls))
    """
