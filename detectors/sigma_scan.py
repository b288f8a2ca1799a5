"""One scan of a log's records by all its rules: every path extracted once, each rule a boolean column.

The scan is record-local: a pure function from records to the rules that match, which an engine calls on
batches (`Engine.each`). DuckDB runs inside it on both engines, so a regular expression means the same
everywhere (Spark's own `rlike` is Java's). Nothing that a record holds can stop it: text that is no JSON
has no fields, and lone surrogates are mended before anything is read.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Event, Thread

import duckdb
import pyarrow as pa

from detectors import sigma_tree
from detectors.sigma_backend import literal
from detectors.sigma_logs import Log
from detectors.sigma_tree import FOLDED, Columns, Form, Node

HITS = pa.schema([("action_uid", pa.string()), ("rule", pa.string())])
"""A rule that matches an action's record."""

ROOM = 3
"""How many times as long as one rule all rules of a log may take for a batch: they share the reading of records."""

ROWS_A_PIECE = 8_192
"""Rows that one thread takes at a time."""

_ADDRESS_DIGITS = r"""CREATE TEMP MACRO address_digits(v) AS (
    CASE WHEN regexp_full_match(v, '(?:::ffff:)?[0-9]{1,3}(?:\.[0-9]{1,3}){3}')
         THEN list_reduce(
             list_transform(string_split(replace(v, '::ffff:', ''), '.'),
                 lambda d: CASE WHEN CAST(d AS INTEGER) < 256 THEN lower(lpad(hex(CAST(d AS INTEGER)), 2, '0')) END),
             lambda x, y: x || y)
         WHEN regexp_full_match(v, '[0-9A-Fa-f:]*:[0-9A-Fa-f:]*') THEN six_digits(lower(v)) END)"""
_SIX_DIGITS = r"""CREATE TEMP MACRO six_digits(v) AS (
    list_reduce(
        list_transform(
            string_split(
                CASE WHEN contains(v, '::')
                     THEN trim(
                         split_part(v, '::', 1)
                         || repeat(':0', 8 - len(list_filter(string_split(v, ':'), lambda g: g <> '')))
                         || ':' || split_part(v, '::', 2), ':')
                     ELSE v END, ':'),
            lambda g: lpad(g, 4, '0')),
        lambda x, y: x || y))"""
"""An IP address as 8 or 32 hexadecimal digits, null for every other text; IPv4 written as IPv6 is IPv4."""

_MENDED = r"""CASE WHEN json_valid(text) THEN text
    WHEN json_valid(regexp_replace(text, '\\u[dD][89abAB][0-9a-fA-F]{2}(\\u[dD][c-fC-F][0-9a-fA-F]{2})?|\\u[dD][c-fC-F][0-9a-fA-F]{2}', '\\ufffd', 'g'))
    THEN regexp_replace(text, '\\u[dD][89abAB][0-9a-fA-F]{2}(\\u[dD][c-fC-F][0-9a-fA-F]{2})?|\\u[dD][c-fC-F][0-9a-fA-F]{2}', '\\ufffd', 'g')
    END"""  # noqa: E501
"""SQL: JSON text whose lone surrogates are replaced (pairs beside them too); null where it is no JSON even so."""


@dataclass(frozen=True)
class Scan:
    """The rules of one log, by id, as a function of records: columns action_uid, raw and `log.reads`, to HITS.

    With `seconds` a batch of records takes one rule no longer than that, and all together ROOM times as long.
    Raises TimeoutError.
    """

    log: Log
    rules: Mapping[str, Node]
    seconds: float | None = None

    def __call__(self, records: pa.Table) -> pa.Table:
        fields = sorted({name for node in self.rules.values() for name in sigma_tree.fields(node)})
        forms = {pair for node in self.rules.values() for pair in sigma_tree.forms(node)}
        with duckdb.connect(config={"enable_external_access": "false"}) as connection, self._in_time(connection):
            connection.execute(_SIX_DIGITS)
            connection.execute(_ADDRESS_DIGITS)
            connection.register("records", pa.Table.from_batches(records.to_batches(ROWS_A_PIECE), records.schema))
            keywords = "raw AS text_raw" if any(name is None for name, _ in forms) else "NULL AS text_raw"
            extract = (_json if self.log.is_json else _columns)(self.log, fields, keywords)
            connection.execute(f"CREATE TEMP TABLE extracted AS {extract}")
            columns = _listed(connection, self.log, fields)
            connection.execute(f"CREATE TEMP TABLE formed AS {_formed(self.log, columns, forms)}")
            return connection.execute(_matched(self.rules, columns)).to_arrow_table().cast(HITS)

    @contextmanager
    def _in_time(self, connection: duckdb.DuckDBPyConnection) -> Iterator[None]:
        if self.seconds is None:
            yield
            return
        most, done = self.seconds * min(len(self.rules), ROOM), Event()
        watch = Thread(target=_interrupt, args=(connection, most, done), daemon=True)
        watch.start()
        try:
            yield
        except duckdb.InterruptException as error:
            raise TimeoutError(f"stopped after {most:g} s on one batch of records") from error
        finally:
            done.set()
            watch.join()


def _interrupt(connection: duckdb.DuckDBPyConnection, most: float, done: Event) -> None:
    """Stop what runs when the time is over, and what follows it: one interruption may fall between two statements."""
    wait = most
    while not done.wait(wait):
        connection.interrupt()
        wait = 0.1


def _json(log: Log, fields: list[str], keywords: str) -> str:
    """A row a record: for each field its single value, whether it is there, whether a list is on its path."""
    types: dict[str, int] = {}
    for name in fields:
        for path in _prefixes(name):
            types.setdefault(path, len(types) + 1)
    paths = ", ".join(literal(_prefixes(name)[-1]) for name in fields)
    kinds = ", ".join(literal(path) for path in types)
    values = [
        f"""CASE WHEN {_is_list(name, types)} THEN NULL ELSE found[{number}] END AS text_{number},
            {_is_list(name, types)} AS list_{number},
            kinds[{types[_prefixes(name)[-1]]}] IS NOT NULL AS present_{number}"""
        for number, name in enumerate(fields, start=1)
    ]
    found = f"json_extract_string(json, [{paths}]) AS found, json_type(json, [{kinds}]) AS kinds" if fields else "1"
    any_list = " OR ".join(_is_list(name, types) for name in fields) or "false"
    # Texts are copied only where they are looked at again.
    columns = ", ".join(["action_uid", keywords, f"CASE WHEN {any_list} THEN json END AS json", *values])
    return f"""
        SELECT {columns} FROM (
            SELECT action_uid, raw, json, {found} FROM (
                SELECT action_uid, raw, {_MENDED} AS json FROM (SELECT action_uid, raw, {log.text} AS text FROM records)
            )
        )
    """


def _prefixes(name: str) -> list[str]:
    """The JSON paths on the way to a field, the field's own last."""
    parts = [_part(part) for part in name.split(".")]
    return ["$" + "".join(parts[:end]) for end in range(1, len(parts) + 1)]


def _part(part: str) -> str:
    return '."' + part + '"'


def _is_list(name: str, types: Mapping[str, int]) -> str:
    found = " OR ".join(f"kinds[{types[path]}] = 'ARRAY'" for path in _prefixes(name))
    return f"coalesce({found}, false)"


def _columns(log: Log, fields: list[str], keywords: str) -> str:
    """The same of a log whose fields are columns of the action."""
    values = []
    for number, name in enumerate(fields, start=1):
        column = log.columns[name]
        text = "CAST(NULL AS VARCHAR)" if column.is_list else column.sql
        values.append(f"{text} AS text_{number}, {str(column.is_list).lower()} AS list_{number}")
        values.append(f"({column.sql}) IS NOT NULL AS present_{number}")
        if column.is_list:
            values.append(f"{column.sql} AS values_{number}")
    return f"SELECT {', '.join(['action_uid', keywords, *values])} FROM records"


def _listed(connection: duckdb.DuckDBPyConnection, log: Log, fields: list[str]) -> dict[str, Columns]:
    """Where each field stands, and whether any record of this batch has a list there."""
    if not fields:
        return {}
    asked = ", ".join(f"coalesce(bool_or(list_{number}), false)" for number in range(1, len(fields) + 1))
    row = connection.execute(f"SELECT {asked} FROM extracted").fetchone()
    assert row is not None  # an aggregate has a row
    wide = [bool(one) or (not log.is_json and log.columns[name].is_list) for one, name in zip(row, fields, strict=True)]
    return {name: Columns(number, wide[number - 1]) for number, name in enumerate(fields, start=1)}


def _formed(log: Log, columns: Mapping[str, Columns], forms: set[tuple[str | None, Form]]) -> str:
    """A row a record: every value in the forms that it is compared in, and lists where they occur."""
    wanted = ["action_uid"]
    wanted += [
        f"{FOLDED[form].format('text_raw')} AS {form}_raw" for name, form in sorted(forms, key=str) if name is None
    ]
    for name, place in columns.items():
        texts: set[Form] = {form for field, form in forms if field == name} | {"text"}
        wanted += [f"{FOLDED[form].format(place.value('text'))} AS {place.value(form)}" for form in sorted(texts)]
        if not place.listed:
            wanted.append(place.present)
            continue
        values = f"CASE WHEN list_{place.number} THEN {_values(name)} END" if log.is_json else place.values
        wanted.append(f"{values} AS {place.values}")
        wanted.append(f"({place.present} OR coalesce(len({values}), 0) > 0) AS {place.present}")
    return f"SELECT {', '.join(wanted)} FROM extracted"


def _values(name: str) -> str:
    """SQL: all values at a path through lists, step by step."""
    steps = "[CAST(json AS JSON)]"
    for part in name.split("."):
        all_of, one_of = literal("$[*]" + _part(part)), literal("$" + _part(part))
        steps = f"""flatten(list_transform({steps}, lambda v: CASE WHEN json_type(v) = 'ARRAY'
            THEN json_extract(v, {all_of}) ELSE [json_extract(v, {one_of})] END))"""
    spread = f"""flatten(list_transform({steps}, lambda v: CASE WHEN json_type(v) = 'ARRAY'
        THEN json_extract(v, '$[*]') ELSE [v] END))"""
    texts = f"list_transform({spread}, lambda v: json_extract_string(v, '$'))"
    return f"list_filter({texts}, lambda v: v IS NOT NULL)"


def _matched(rules: Mapping[str, Node], columns: Mapping[str, Columns]) -> str:
    """The scan: each rule a boolean column, and a row for each that is true."""
    tests = {rule: sigma_tree.sql(node, columns) for rule, node in rules.items()}
    booleans = ", ".join(f"{test} AS rule_{number}" for number, test in enumerate(tests.values()))
    any_of = " OR ".join(f"rule_{number}" for number in range(len(tests)))
    names = ", ".join(f"CASE WHEN rule_{number} THEN {literal(rule)} END" for number, rule in enumerate(tests))
    return f"""
        SELECT action_uid, unnest(list_filter([{names}], lambda r: r IS NOT NULL)) AS rule
        FROM (SELECT action_uid, {booleans} FROM formed) WHERE {any_of}
    """
