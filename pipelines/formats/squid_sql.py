"""The DuckDB SQL behind `squid`: lines to the values of their logformat, and those to actions."""

from __future__ import annotations

from pipelines.formats import http_sql
from pipelines.formats.squid_logformat import NAMES, URLS, Field, Logformat
from pipelines.identifiers import Sql

COLUMNS = (
    "time", "time_kind", "time_precision", "class_uid", "activity", "principal", "principal_type", "identity_strength",
    "src_ip", "src_port", "user_agent", "http_method", "dst_host", "dst_port", "dst_ip", "url_path", "status",
    "status_code", "error", "duration_ms", "bytes_out", "bytes_in", "request_uid", "trace_uid", "twin_rank",
)  # fmt: skip
"""The action columns that this format fills."""

_CHECKED_NAMES = NAMES[:-1]
"""Names that the proxy checked, if it checks any."""

_OPENED = ("bump", "client-first", "server-first", "stare")
"""Values of `%ssl::bump_mode` with which Squid reads what is inside a tunnel."""


def actions_sql(logformat: Logformat, authenticated: bool) -> str:
    """One row a record of `records`, in the columns of ACTIONS_OUT that are filled."""
    steps = {
        "matched": _matched(logformat),
        "fields": _fields(logformat),
        "urls": http_sql.urls("fields"),
        "told": _told(logformat, authenticated),
    }
    named = ", ".join(f"{name} AS ({sql})" for name, sql in steps.items())
    return f"WITH {named} {_judged(logformat)}"


def _matched(logformat: Logformat) -> str:
    """A row a record: the groups of its match, all empty where it does not match."""
    groups = ", ".join(f"'{name}'" for name in logformat.groups)
    pattern = logformat.pattern.replace("'", "''")
    return f"SELECT record_id, realm, raw, regexp_extract(coalesce(raw, ''), '{pattern}', [{groups}]) AS m FROM records"


def _fields(logformat: Logformat) -> str:
    """A row a record: the logformat's values, decoded, null where Squid wrote a dash."""

    def text(*codes: str, argument: str | None = None) -> str:
        found = logformat.of(*codes, argument=argument)
        values = [_decoded(field) for field in found]
        return f"coalesce({', '.join(values)})" if values else "CAST(NULL AS VARCHAR)"

    def url() -> str:
        found = logformat.of(*URLS)
        values = [_decoded(f) if f.encoding in {"url", "quoted"} else _spaced_url(logformat, f) for f in found]
        return f"coalesce({', '.join(values)})" if values else "CAST(NULL AS VARCHAR)"

    columns = {
        "time": _time(logformat),
        "method": text(">rm", "METHOD", "rm", "<rm"),
        "url": url(),
        "scheme": text(">rs", "PROTO", "<rs"),
        "host": text(">rd", "DST", "<rd"),
        "port": text(">rP", "PORT", "<rP"),
        "path": text(">rp", "PATH", "rp", "<rp"),
        "host_header": text(">h", ">ha", argument="host"),
        "sni": text("ssl::>sni"),
        "bump_mode": text("ssl::bump_mode"),
        "client": text(">a", "SRC"),
        "client_port": text(">p", "SRCPORT"),
        "user_name": text(*NAMES),
        "user_spaced": " OR ".join([_is_spaced(f) for f in logformat.of(*NAMES) if f.bare] or ["false"]),
        "user_claimed": f"{text(*_CHECKED_NAMES)} IS NULL",
        "result": text("Ss"),
        "code": text(">Hs", "Hs", "<Hs"),
        "err_code": text("err_code"),
        "hierarchy": text("Sh"),
        "peer": text("<a"),
        "elapsed": text("tr"),
        "sent": text("<st"),
        "received": text(">st"),
        "exchanged": text("st"),
        "agent": f"coalesce({text('>h', argument='user-agent')}, {text('>ha', argument='user-agent')})",
        "traceparent": f"coalesce({text('>h', argument='traceparent')}, {text('>ha', argument='traceparent')})",
        "request_id": f"coalesce({text('<h', argument='x-amzn-requestid')}, {text('<h', argument='x-amz-request-id')})",
    }
    named = ", ".join(f"{value} AS {name}" for name, value in columns.items())
    return f"SELECT record_id, realm, raw, m.whole <> '' AS matches, {named} FROM matched"


def _known(field: Field) -> str:
    value = f"m.{field.name}"
    if field.sure == "last":
        value = rf"regexp_extract({value}, '(\S+)\s*$', 1)"
    elif field.sure == "first":
        value = rf"regexp_extract({value}, '^\s*(\S+)', 1)"
    elif field.sure == "none":
        value = f"CASE WHEN NOT {_is_spaced(field)} THEN {value} END"
    return f"nullif(nullif({value}, '-'), '')"


def _is_spaced(field: Field) -> str:
    return rf"regexp_matches(trim(m.{field.name}), '\s')"


def _spaced_url(logformat: Logformat, url: Field) -> str:
    """The URL with those words of a bare user name beside it that may be the URL's own."""
    at = logformat.fields.index(url)
    for name in logformat.fields[max(at - 1, 0) : at + 2]:
        if name.sure == "last" and logformat.fields.index(name) > at:
            rest = rf"regexp_extract(m.{name.name}, '^(.*\S)\s+\S+\s*$', 1, 's')"
            return f"{_known(url)} || CASE WHEN {_is_spaced(name)} THEN ' ' || {rest} ELSE '' END"
        if name.sure == "first" and logformat.fields.index(name) < at:
            # Where the name really had a space, the word before the scheme is the name's and not the URL's.
            told = rf"regexp_extract(m.{name.name}, '\s([A-Za-z][A-Za-z0-9+.-]*://.*)$', 1, 's')"
            return f"coalesce(nullif({told}, '') || ' ', '') || {_known(url)}"
    return _known(url)


def _decoded(field: Field) -> str:
    """The value as it was before Squid encoded it; a raw one is left alone, `%41` in it is three characters."""
    text = _known(field)
    if field.encoding == "raw":
        return text
    if field.encoding in {"quoted", "shell", "mime"}:
        unquoted = f"regexp_replace({text}, '^\"(.*)\"$', '\\1', 's')" if field.encoding == "shell" else text
        text = _unescaped(unquoted)
    if field.encoding in {"mime", "url", "pass"}:
        # Bytes that are no UTF-8 cannot be shown; such a name stays in its encoded form.
        text = f"CASE WHEN contains({text}, '%') THEN coalesce(try(url_decode({text})), {text}) ELSE {text} END"
    return f"nullif({text}, '')"


def _unescaped(text: str) -> str:
    """Backslash pairs undone in one pass: a doubled backslash hides behind chr(1) meanwhile."""
    steps = (("'\\\\'", "chr(1)"), ("'\\\"'", "'\"'"), ("'\\r'", "chr(13)"), ("'\\n'", "chr(10)"), ("'\\t'", "chr(9)"))
    undone = text
    for pair, character in (*steps, ("chr(1)", "'\\'")):
        undone = f"replace({undone}, {pair}, {character})"
    return f"CASE WHEN contains({text}, '\\') THEN {undone} ELSE {text} END"


def _time(logformat: Logformat) -> str:
    """The moment the line tells, as a UTC TIMESTAMP: the transaction's end, or its start where only that is there."""
    seconds, fractions = logformat.of("ts"), logformat.of("tu")
    if seconds:
        micros = f"try_cast({_known(seconds[0])} AS BIGINT) * 1000000"
        if fractions:
            unit = 10 ** (6 - min(fractions[0].digits or 3, 6))
            micros = f"{micros} + coalesce(try_cast({_known(fractions[0])} AS BIGINT) * {unit}, 0)"
        return f"CASE WHEN length(m.{seconds[0].name}) <= 11 THEN {http_sql.moment(micros)} END"
    clocks = [field for field in logformat.fields if field.clock]
    if clocks:
        clock, value = str(clocks[0].clock), _known(clocks[0])
        if "%z" not in clock:
            clock, value = f"{clock} %z", f"regexp_replace({value}, ' \\+0000$', '') || ' +0000'"
        return http_sql.moment(f"epoch_us(try_strptime({value}, '{clock.replace(chr(39), chr(39) * 2)}'))")
    start = _known(logformat.of("tS")[0])
    return http_sql.moment(http_sql.seconds(start))


def _told(logformat: Logformat, authenticated: bool) -> str:
    """A row a record: the action's columns, and what decides whether it is one."""
    proven = "'proven'" if authenticated else "'asserted'"
    ends = bool(logformat.of("ts")) or any(field.clock for field in logformat.fields)
    fine = bool(logformat.of("tu")) if ends else True
    return f"""
        SELECT record_id, matches, raw, time,
               {"'end'" if ends else "'start'"} AS time_kind,
               {"'1ms'" if fine else "'1s'"} AS time_precision,
               4002 AS class_uid,
               {http_sql.activity()} AS activity,
               {Sql.uid("proxy:user", "user_name", "realm")} AS principal,
               CASE WHEN user_name IS NOT NULL THEN 'user' END AS principal_type,
               CASE WHEN user_name IS NULL OR challenge OR user_claimed OR user_spaced THEN 'asserted' ELSE {proven}
                   END AS identity_strength,
               client AS src_ip,
               {http_sql.port("try_cast(client_port AS BIGINT)")} AS src_port,
               agent AS user_agent,
               method AS http_method,
               to_host AS dst_host,
               {http_sql.port("to_port")} AS dst_port,
               CASE WHEN {_straight()} THEN peer END AS dst_ip,
               to_path AS url_path,
               status,
               CASE WHEN status_number > 0 THEN CAST(status_number AS VARCHAR) END AS status_code,
               CASE WHEN status <> 'success' THEN coalesce(result, err_code) END AS error,
               {http_sql.count("round(try_cast(elapsed AS DOUBLE))")} AS duration_ms,
               coalesce({http_sql.count("received")},
                        {http_sql.count("try_cast(exchanged AS HUGEINT) - try_cast(sent AS HUGEINT)")}) AS bytes_out,
               {http_sql.count("sent")} AS bytes_in,
               request_id AS request_uid,
               {_twin_rank()} AS twin_rank,
               {http_sql.trace("traceparent")} AS trace_uid,
               user_name IS NULL AND challenge AND refused AS nameless
        FROM (
            SELECT *, {_status()} AS status,
                   -- A 407 that comes from the other side is no challenge of this proxy: it must hide nothing.
                   coalesce(status_number IN (401, 407) AND refused
                            OR status_number = 407 AND result IS NULL, false) AS challenge
            FROM (SELECT *, try_cast(code AS INTEGER) AS status_number,
                         coalesce(contains(result, '_DENIED'), false) AS refused FROM urls)
        )
    """


def _straight() -> str:
    """Whether the peer is the destination itself, not a cache on the way to it."""
    words = " OR ".join(f"contains(hierarchy, '{word}')" for word in ("DIRECT", "ORIGINAL_DST", "PINNED"))
    return f"hierarchy IS NULL OR {words}"


def _twin_rank() -> str:
    """The place in a deed of a CONNECT and its inner requests, by which pipelines.ingest.deeds tells them apart.

    0: a request for https, as they are seen inside an opened tunnel. 1: a CONNECT that Squid opened or answered by
    itself. 2: one of which the line does not tell. Null: a plain request, which was in no tunnel, and a CONNECT that
    nobody looked into (it was refused, or passed on unread: TCP_TUNNEL).
    """
    modes = ", ".join(f"'{mode}'" for mode in _OPENED)
    return f"""CASE WHEN method IS NULL THEN NULL
                    WHEN method <> 'CONNECT' THEN CASE WHEN to_scheme IN ('https', 'wss') THEN 0 END
                    WHEN refused OR contains(result, 'TUNNEL') OR bump_mode NOT IN ({modes}) THEN NULL
                    WHEN bump_mode IN ({modes}) OR regexp_matches(result, '^(TAG_)?NONE') THEN 1
                    ELSE 2 END"""


def _status() -> str:
    return """CASE WHEN refused OR status_number IN (401, 403, 407) THEN 'denied'
                   WHEN contains(result, '_ABORTED') OR contains(result, '_TIME') OR status_number >= 400
                        OR status_number = 0 THEN 'failure'
                   WHEN status_number BETWEEN 100 AND 399 THEN 'success'
                   ELSE 'unknown' END"""


def _judged(logformat: Logformat) -> str:
    """A row a record: whether it is an action, why not, and an action's columns."""
    expected = logformat.line.replace("'", "''")
    columns = ", ".join(f"CASE WHEN fault IS NULL AND idle IS NULL THEN {name} END AS {name}" for name in COLUMNS)
    mismatch = f"'not a line of the logformat \"{expected}\": ' || {_hint()}"
    return f"""
        SELECT record_id, {columns}, coalesce(fault, idle) AS reason,
               CASE WHEN fault IS NOT NULL THEN 'error' WHEN idle IS NOT NULL THEN 'skipped' ELSE 'action' END
                   AS outcome
        FROM (
            SELECT *,
                   CASE WHEN NOT matches THEN {mismatch}
                        WHEN time IS NULL THEN 'no time between 1970 and 9999 where the logformat has its time'
                        END AS fault,
                   CASE WHEN nameless THEN 'the challenge before authentication, without a name'
                        WHEN dst_host IS NULL AND url_path IS NULL THEN 'an interim line: no request came of it'
                        END AS idle
            FROM told
        )
    """


def _hint() -> str:
    """What about the line to look at, in words that hold none of its text."""
    return r"""CASE
        WHEN trim(coalesce(raw, '')) = '' THEN 'the line is blank'
        WHEN length(raw) >= 8000 THEN 'it has ' || length(raw) || ' characters, so Squid may have cut it off at 8 KB'
        WHEN NOT regexp_matches(raw, '^\s*[0-9]+\.[0-9]+\s')
        THEN 'it does not begin with a Unix time; write the proxy''s own logformat line into the source'
        ELSE 'it has ' || len(regexp_split_to_array(trim(raw), '\s+'))
             || ' words; if the proxy writes another logformat, write that line into the source' END"""
