"""The DuckDB SQL that a mapping (mapping_layout) becomes: records to fields, and those to actions and grants."""

from __future__ import annotations

import re
from collections.abc import Iterable

from pipelines import schema
from pipelines.formats.mapping_layout import WORDS, Condition, Grant, Layout, Time, Value
from pipelines.identifiers import Sql

CLASSES = {"proxy": 4002, "cloud": 6003, "token": 6003, "model": 6003, "tool": 6003, "approval": 6003}
"""OCSF's class of an action where the mapping names none: HTTP Activity of a proxy, else API Activity."""

_URL = (
    r"^(?:([A-Za-z][A-Za-z0-9+.-]*)://)?(?:[^/?#]*@)?"
    r"(\[[^\]]*\]|[^:/?#\[\]\s]*)(?::([0-9]{1,5}))?(/[^?#]*)?"
)
"""Scheme, host, port and path; what precedes the last `@` of an authority is no host (RFC 3986, 3.2)."""

_OF_URL = {"dst_host": "nullif(aim.host, '')", "dst_port": "aim_port", "url_path": "nullif(aim.path, '')"}
_HOST_AND_PORT = r"^(\[[^\]]*\]|[^:\[\]]+):([0-9]{1,5})$"
"""A Host header's port, which a bare IPv6 address has not."""

_FACTORS = {"unix": "1000000", "unix_ms": "1000", "unix_us": "1", "unix_ns": "0.001"}
_COUNTS = frozenset(name for name, kind in schema.ACTIONS.columns.items() if kind == schema.COUNT)
_PORTS = frozenset({"src_port", "dst_port"})
_METHODS = ("CONNECT", "DELETE", "GET", "HEAD", "OPTIONS", "POST", "PUT", "TRACE", "PATCH")


def quoted(text: str) -> str:
    """A text as an SQL literal."""
    return "'" + text.replace("'", "''") + "'"


def _in(texts: Iterable[str]) -> str:
    return "(" + ", ".join(map(quoted, texts)) + ")"


class Fields:
    """The fields of a mapping as SQL: `f0`, `f1`, ... in the table `fields`; `l0`, ... where one is a list."""

    def __init__(self, layout: Layout) -> None:
        self.layout = layout
        self.names = layout.fields()
        resources = layout.columns.get("resources")
        self.lists = set(resources.from_) if resources and layout.read == "json" else set()

    def __call__(self, field: str) -> str:
        return f"f{self.names.index(field)}"

    def first(self, fields: Iterable[str]) -> str:
        """The first of several fields that says something."""
        found = [self(field) for field in fields]
        return f"coalesce({', '.join(found)})" if found else "CAST(NULL AS VARCHAR)"

    def sql(self) -> str:
        """A row a record: whether it has the shape that the mapping says, whether it is a header, and its fields."""
        return self._json() if self.layout.read == "json" else self._groups()

    def _meant(self, text: str) -> str:
        return f"CASE WHEN {text} NOT IN {_in(self.layout.nulls)} THEN {text} END" if self.layout.nulls else text

    def _json(self) -> str:
        paths = ", ".join(map(quoted, self.names))
        columns = []
        for at, name in enumerate(self.names):
            value = f"j[{at + 1}]"
            text = f"CASE WHEN json_type({value}) NOT IN ('OBJECT', 'ARRAY') THEN {value} ->> '$' END"
            columns.append(f"{self._meant(f'({text})')} AS f{at}")
            if name in self.lists:
                array = f"CASE WHEN json_type({value}) = 'ARRAY' THEN json_extract_string({value}, '$[*]') END"
                columns.append(f"{array} AS l{at}")
        return f"""
            SELECT record_id, realm, shaped, false AS header, {", ".join(columns)}
            FROM (
                SELECT record_id, realm, shaped, json_extract(CASE WHEN shaped THEN raw END, [{paths}]) AS j
                FROM (SELECT *, coalesce(json_type(CASE WHEN json_valid(raw) THEN raw END) = 'OBJECT', false) AS shaped
                      FROM records)
            )
        """

    def _groups(self) -> str:
        pattern, names = self._line()
        groups = ", ".join(map(quoted, names))
        values = {field: self._group(field) for field in self.names}
        columns = ", ".join(f"{self._meant(values[name])} AS f{at}" for at, name in enumerate(self.names))
        header = "false"
        if self.layout.csv:
            wanted = self.layout.csv.columns
            header = " AND ".join(f"{self._group(name)} = {quoted(name)}" for name in wanted)
        return f"""
            SELECT record_id, realm, m.whole <> '' AS shaped, {header} AS header, {columns}
            FROM (SELECT record_id, realm, regexp_extract(coalesce(raw, ''), {quoted(pattern)}, [{groups}]) AS m
                  FROM records)
        """

    def _line(self) -> tuple[str, list[str]]:
        """The pattern of a whole line, and the names of its groups."""
        if self.layout.csv is None:
            pattern = self.layout.pattern or ""
            return f"(?s)^({pattern})$", ["whole", *(f"g_{name}" for name in _group_names(pattern))]
        mark = "".join(rf"\x{{{ord(sign):x}}}" for sign in self.layout.csv.delimiter)
        cell = rf'(?:"((?:[^"]|"")*)"|((?:[^"{mark}][^{mark}]*)?))'
        count = len(self.layout.csv.columns)
        names = [f"{kind}{at}" for at in range(count) for kind in ("q", "u")]
        return f"(?s)^({mark.join([cell] * count)})$", ["whole", *names]

    def _group(self, field: str) -> str:
        if self.layout.csv is None:
            return f"m.g_{field}"
        at = self.layout.csv.columns.index(field)
        return f"""CASE WHEN m.q{at} <> '' THEN replace(m.q{at}, '""', '"') ELSE m.u{at} END"""


def _group_names(pattern: str) -> list[str]:
    found = re.compile(pattern).groupindex
    return sorted(found, key=found.__getitem__)


def micros(fields: Fields, time: Time) -> str:
    """Microseconds since 1970 of a time, null where it is none."""
    text = fields.first(time.from_)
    if time.format in _FACTORS:
        number = f"try_cast({text} AS DECIMAL(38, 9))"
        found = f"try_cast(round({number} * {_FACTORS[time.format]}) AS BIGINT)"
    elif time.format == "iso8601":
        found = _iso(text, time.zone)
    else:
        moment = f"try_strptime({text}, {quoted(time.format)})"
        found = f"epoch_us({moment if '%z' in time.format else _local(moment, time.zone)})"
    found = f"try({found})"
    return f"CASE WHEN {found} BETWEEN 0 AND 253402300799999999 THEN {found} END"


def _local(moment: str, zone: str | None) -> str:
    return f"timezone({quoted(zone or 'UTC')}, CAST({moment} AS TIMESTAMP))"


def _iso(text: str, zone: str | None) -> str:
    plain = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]+)?"
    zoned = rf"regexp_matches({text}, '{plain}(?:[Zz]|[+-][0-9]{{2}}:?[0-9]{{2}})$')"
    local = f"WHEN regexp_matches({text}, '{plain}$') THEN epoch_us({_local(f'try_cast({text} AS TIMESTAMP)', zone)})"
    return f"CASE WHEN {zoned} THEN epoch_us(try_cast({text} AS TIMESTAMPTZ)) {local if zone else ''} END"


def _precision(fields: Fields, time: Time) -> str:
    by_format = {"unix_ms": "'1ms'", "unix_us": "'1us'", "unix_ns": "'1us'"}
    if time.format in by_format:
        return by_format[time.format]
    if time.format in {"iso8601", "unix"}:
        text = fields.first(time.from_)
        return rf"""CASE WHEN regexp_matches({text}, '\.[0-9]{{4,}}') THEN '1us'
                         WHEN regexp_matches({text}, '\.[0-9]') THEN '1ms' ELSE '1s' END"""
    return "'1us'" if "%f" in time.format else "'1ms'" if "%g" in time.format else "'1s'"


def _text(fields: Fields, value: Value) -> str:
    """A value as text, in our words and as an identifier where it is one."""
    said = quoted(value.value) if value.value is not None else fields.first(value.from_)
    if value.values:
        cases = " ".join(f"WHEN {quoted(word)} THEN {quoted(ours)}" for word, ours in value.values.items())
        rest = quoted(value.otherwise) if value.otherwise is not None else said
        said = f"CASE WHEN {said} IS NULL THEN NULL ELSE CASE {said} {cases} ELSE {rest} END END"
    if value.identity:
        before, _, after = value.identity.partition("{}")
        realm = f"' || {Sql.encode_realm('realm')} || '"
        start = quoted(before).replace("{realm}", realm)
        name = f"lower({said})" if before == "mail:addr/" else said
        said = f"({start} || nullif({name}, '') || {quoted(after)})"
    return f"nullif({said}, '')"


def _column(fields: Fields, name: str, value: Value) -> str:
    """What a column of actions holds."""
    if name == "resources":
        texts = [f"[{fields(field)}]" if field not in fields.lists else _either(fields(field)) for field in value.from_]
        return f"nullif(list_filter(coalesce({', '.join(texts)}), t -> t IS NOT NULL), [])" if texts else "NULL"
    said = _text(fields, value)
    if name == "status" and value.http:
        said = _http_status(said)
    if name in WORDS:
        rest = "'unknown'" if name == "status" else "NULL"
        return f"CASE WHEN {said} IN {_in(WORDS[name])} THEN {said} ELSE {rest} END"
    if name == "dst_host":
        return rf"regexp_replace({said}, '{_HOST_AND_PORT}', '\1')"
    if name in _PORTS:
        return _port(said)
    return count(said) if name in _COUNTS else said


def _either(text: str) -> str:
    array = "l" + text[1:]
    return f"coalesce({array}, CASE WHEN {text} IS NOT NULL THEN [{text}] END)"


def _port(text: str) -> str:
    return f"CASE WHEN try_cast({text} AS BIGINT) BETWEEN 1 AND 65535 THEN try_cast({text} AS BIGINT) END"


def count(text: str) -> str:
    """A whole number that is not negative; a fraction is rounded."""
    whole = f"try_cast(round(try_cast({text} AS DECIMAL(38, 9))) AS BIGINT)"
    return f"CASE WHEN {whole} >= 0 THEN {whole} END"


def _http_status(code: str) -> str:
    number = f"try_cast({code} AS INTEGER)"
    return f"""(CASE WHEN {number} IN (401, 403, 407) THEN 'denied' WHEN {number} >= 400 THEN 'failure'
                    WHEN {number} BETWEEN 100 AND 399 THEN 'success' ELSE 'unknown' END)"""


def filled(layout: Layout) -> frozenset[str]:
    """The action columns that a mapping can fill."""
    names = {"time", "time_kind", "time_precision", "class_uid", "status", *layout.columns}
    if layout.url:
        names |= set(_OF_URL)
    if "dst_host" in names:
        names.add("dst_port")
    if "principal" in names:
        names.add("identity_strength")
    if "delegator" in names:
        names.add("delegator_strength")
    if "http_method" in names:
        names.add("activity")
    if layout.bytes:
        names |= set(_bytes(layout))
    return frozenset(names)


def _bytes(layout: Layout) -> dict[str, str]:
    """The fields of bytes_out and bytes_in, as the caller sees them."""
    if layout.bytes is None:
        return {}
    out, back = ("sent", "received") if layout.bytes.seen_by == "caller" else ("received", "sent")
    pairs = {"bytes_out": getattr(layout.bytes, out), "bytes_in": getattr(layout.bytes, back)}
    return {name: field for name, field in pairs.items() if field}


def _columns(fields: Fields) -> dict[str, str]:
    layout = fields.layout
    columns = {name: _column(fields, name, value) for name, value in layout.columns.items()}
    if layout.url:
        columns |= {name: f"coalesce({columns.get(name, 'NULL')}, {sql})" for name, sql in _OF_URL.items()}
    if host := layout.columns.get("dst_host"):
        of_host = _port(rf"regexp_extract({_text(fields, host)}, '{_HOST_AND_PORT}', 2)")
        columns["dst_port"] = f"coalesce({columns.get('dst_port', 'NULL')}, {of_host})"
    if {"principal", "principal_type"} <= columns.keys():
        columns["principal_type"] = f"CASE WHEN {columns['principal']} IS NOT NULL THEN {columns['principal_type']} END"
    columns |= {name: count(fields(field)) for name, field in _bytes(layout).items()}
    columns.setdefault("class_uid", str(CLASSES[layout.category]))
    columns.setdefault("status", "'unknown'")
    if "http_method" in columns:
        cases = " ".join(f"WHEN '{name}' THEN '{name.capitalize()}'" for name in _METHODS)
        columns.setdefault("activity", f"CASE upper({columns['http_method']}) {cases} ELSE 'Other' END")
    return columns


def _proven(layout: Layout) -> str:
    """Who is named on a record whose authentication failed was only claimed."""
    failed = ["o_principal IS NULL"]
    if "status_code" in layout.columns:
        failed.append("o_status_code IN ('401', '407')")
    if "obtains" in layout.columns:
        failed.append("(o_obtains = 'self' AND o_status <> 'success')")
    return (
        f"CASE WHEN {' OR '.join(failed)} THEN 'asserted' ELSE 'proven' END" if layout.authenticated else "'asserted'"
    )


def read_sql(layout: Layout) -> str:
    """A row a record: `reason` and `idle` (why it is no action), the columns as `o_NAME`, and its fields."""
    fields = Fields(layout)
    columns = _columns(fields)
    url = fields(layout.url) if layout.url else "CAST(NULL AS VARCHAR)"
    wanted = {"native_id": fields(layout.id.from_) if layout.id else "CAST(NULL AS VARCHAR)", **columns}
    named = ", ".join(f"{sql} AS o_{name}" for name, sql in wanted.items())
    idle = " ".join(f"WHEN {_holds(fields, skip)} THEN {quoted(skip.reason)}" for skip in layout.skip)
    return f"""
        SELECT *, CASE WHEN micros IS NOT NULL THEN make_timestamp(micros) END AS o_time,
               {_precision(fields, layout.time)} AS o_time_precision,
               CASE WHEN header THEN 'the header' {idle} END AS idle, {named},
               CASE {_reasons(fields)} END AS reason
        FROM (
            SELECT *, {micros(fields, layout.time)} AS micros,
                   coalesce(CASE WHEN aim.port <> '' THEN {_port("aim.port")} END,
                            CASE lower(aim.scheme) WHEN 'https' THEN 443 WHEN 'wss' THEN 443 WHEN 'http' THEN 80
                                 WHEN 'ws' THEN 80 END) AS aim_port
            FROM (SELECT *, regexp_extract({url}, '{_URL}', ['scheme', 'host', 'port', 'path']) AS aim
                  FROM ({fields.sql()}))
        )
    """


def _reasons(fields: Fields) -> str:
    layout = fields.layout
    shape = {
        "json": "not a JSON object",
        "csv": f"not a CSV line of {len(layout.csv.columns) if layout.csv else 0} columns, as the mapping says",
        "pattern": "the line is not what the mapping's pattern says",
    }[layout.read]
    names = " or ".join(layout.time.from_)
    zone = "" if layout.time.zone or layout.time.format != "iso8601" else " with a zone (the mapping gives none)"
    missing = quoted(f"the field {names} is missing or has no text")
    return f"""WHEN NOT shaped THEN {quoted(shape)}
               WHEN {fields.first(layout.time.from_)} IS NULL THEN {missing}
               WHEN micros IS NULL
               THEN {quoted(f"the field {names} is no time of the form {layout.time.format}{zone}")}"""


def _holds(fields: Fields, condition: Condition) -> str:
    return f"coalesce({fields(condition.field)} IN {_in(condition.is_)}, false)"


def actions_sql(layout: Layout) -> str:
    """A row a record of the table `read`, in the columns of ACTIONS_OUT that are filled."""
    columns = {name: f"o_{name}" for name in ("native_id", "time", "time_precision", *_columns(Fields(layout)))}
    columns["time_kind"] = quoted(layout.time.is_)
    if "principal" in layout.columns:
        columns["identity_strength"] = _proven(layout)
    if "delegator" in layout.columns:
        strength = quoted(layout.columns["delegator"].strength)
        columns["delegator_strength"] = f"CASE WHEN o_delegator IS NOT NULL THEN {strength} END"
    acts = "reason IS NULL AND idle IS NULL"
    chosen = ", ".join(f"CASE WHEN {acts} THEN {sql} END AS {name}" for name, sql in columns.items())
    return f"""
        SELECT record_id, coalesce(idle, reason) AS reason,
               CASE WHEN idle IS NOT NULL THEN 'skipped' WHEN reason IS NULL THEN 'action' ELSE 'error' END AS outcome,
               {chosen}
        FROM read
    """


def grants_sql(layout: Layout) -> str | None:
    """Rows of GRANTS_OUT from the table `read`, null where the mapping knows of none."""
    fields = Fields(layout)
    kinds = [_grant(fields, grant) for grant in layout.grants]
    if not kinds:
        return None
    return f"""
        SELECT DISTINCT * FROM ({" UNION ALL ".join(kinds)})
        WHERE child_uid IS NOT NULL AND (kind = 'revoke' OR parent_uid IS NOT NULL)
    """


def _grant(fields: Fields, grant: Grant) -> str:
    def side(value: Value | None) -> str:
        return _text(fields, value) if value else "CAST(NULL AS VARCHAR)"

    where = " AND ".join(["true", *(_holds(fields, condition) for condition in grant.where)])
    principal = "o_principal" if "principal" in fields.layout.columns else "CAST(NULL AS VARCHAR)"
    expires = f"make_timestamp({micros(fields, grant.expires)})" if grant.expires else "CAST(NULL AS TIMESTAMP)"
    strength = quoted(grant.delegator.strength) if grant.delegator else "NULL"
    return f"""
        SELECT record_id, {quoted(grant.kind)} AS kind, {quoted(grant.mechanism)} AS mechanism,
               {side(grant.parent)} AS parent_uid, {side(grant.child)} AS child_uid, {principal} AS principal,
               {side(grant.delegator)} AS delegator,
               CASE WHEN {side(grant.delegator)} IS NOT NULL THEN {strength} END AS delegator_strength,
               o_time AS issued_at, {expires} AS expires_at, {quoted(grant.strength)} AS strength
        FROM read
        WHERE reason IS NULL AND idle IS NULL AND o_status NOT IN ('failure', 'denied') AND {where}
    """
