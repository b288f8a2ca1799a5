"""What is wrong with a mapping beyond its shape: every mistake with the file and line that it is on."""

from __future__ import annotations

import re
from collections.abc import Iterator
from difflib import get_close_matches
from pathlib import Path

import duckdb
import polars as pl

from detectors import located
from detectors.located import Located, Problem, Problems
from pipelines.formats.mapping_layout import COLUMNS, WORDS, Grant, Layout, Time, Value, uses
from pipelines.formats.zone import is_zone

IDENTITIES = ("principal", "credential_uid", "session_uid", "delegator", "trace_uid")
_EPOCHS = ("unix", "unix_ms", "unix_us", "unix_ns")
_JSON_PATH = re.compile(r'\$(?:\.[A-Za-z_@][A-Za-z0-9_@-]*|\."[^"\\]+"|\[[0-9]{1,6}\])+')
_IDENTITY = re.compile(r"[a-z0-9]+:[a-z0-9_-]+/[^{}]*(?:\{realm\}[^{}]*)?\{\}[^{}]*")


def load(path: Path) -> Layout:
    """The mapping in a file. Raises `Problems`, each with file, line and key."""
    document = located.load(path)
    layout = located.validate(document, Layout)
    problems = list(_problems(document, layout))
    if problems:
        raise Problems(problems)
    return layout


def _problems(document: Located, layout: Layout) -> Iterator[Problem]:
    """What the shape alone does not show."""
    yield from _reading(document, layout)
    yield from _unknown_fields(document, layout)
    yield from _times(document, layout)
    for name, value in layout.columns.items():
        yield from _column(document, name, value)
    for at, grant in enumerate(layout.grants):
        yield from _grant(document, ("grants", at), grant)
        if grant.strength == "proven" and not layout.authenticated:
            yield document.problem(("grants", at, "strength"), "only a log that says `authenticated: true` proves")
    for at, pattern in enumerate(layout.secrets.patterns):
        if said := _bad_pattern(pattern):
            yield document.problem(("secrets", "patterns", at), said)
        elif re.compile(pattern).groups < 1:
            yield document.problem(("secrets", "patterns", at), "needs a group ( ) around the secret itself")
    if layout.bytes and not (layout.bytes.sent or layout.bytes.received):
        yield document.problem(("bytes",), "names neither `sent` nor `received`")


def _reading(document: Located, layout: Layout) -> Iterator[Problem]:
    """`read` and what belongs to it."""
    for key, mode in (("csv", "csv"), ("pattern", "pattern")):
        if layout.read == mode and getattr(layout, key) is None:
            yield document.problem(("read",), f"`read: {mode}` needs the key `{key}`")
        elif layout.read != mode and getattr(layout, key) is not None:
            yield document.problem((key,), f"belongs to `read: {mode}`; this file says `read: {layout.read}`")
    if layout.records and layout.read != "json":
        yield document.problem(("records",), "belongs to `read: json`")
    if layout.csv and len(set(layout.csv.columns)) < len(layout.csv.columns):
        yield document.problem(("csv", "columns"), "names a column twice")
    if layout.csv and layout.csv.delimiter in '"\r\n':
        yield document.problem(("csv", "delimiter"), "cannot be a quote or the end of a line")
    if layout.pattern is not None:
        said = _bad_pattern(layout.pattern)
        if said:
            yield document.problem(("pattern",), said)
        elif (compiled := re.compile(layout.pattern)).groups != len(compiled.groupindex):
            yield document.problem(("pattern",), "name every group, (?P<name>...), or write (?:...)")


def _bad_pattern(pattern: str) -> str | None:
    """Why an expression is none that every engine here reads, or None."""
    try:
        re.compile(pattern)
        duckdb.execute("SELECT regexp_matches('', ?)", [pattern]).fetchall()
        pl.Series([""]).str.contains(pattern)
    except (re.error, duckdb.Error, pl.exceptions.PolarsError) as error:
        return f"is no regular expression of RE2: {str(error).splitlines()[0]}"
    return None


def _known(layout: Layout) -> set[str] | None:
    """The fields that there are; None where any JSON path may be one."""
    if layout.read == "json":
        return None
    if layout.read == "csv":
        return set(layout.csv.columns) if layout.csv else set()
    try:
        return set(re.compile(layout.pattern or "").groupindex)
    except re.error:
        return set()


def _unknown_fields(document: Located, layout: Layout) -> Iterator[Problem]:
    known = _known(layout)
    for use in uses(layout):
        if known is None:
            if not _JSON_PATH.fullmatch(use.field):
                yield document.problem(use.at, f'{use.field!r} is no JSON path such as $.user.name, $."a.b" or $.x[0]')
        elif use.field not in known:
            near = get_close_matches(use.field, known, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"there are: {', '.join(sorted(known))}"
            yield document.problem(use.at, f"no field {use.field!r}; {hint}")


def _times(document: Located, layout: Layout) -> Iterator[Problem]:
    places: list[tuple[tuple[str | int, ...], Time]] = [(("time",), layout.time)]
    places += [(("grants", at, "expires"), one.expires) for at, one in enumerate(layout.grants) if one.expires]
    for at, time in places:
        if time.zone is not None and not is_zone(time.zone):
            yield document.problem((*at, "zone"), f"{time.zone!r} is no zone such as UTC or Europe/Berlin")
        if time.format == "iso8601" or time.format in _EPOCHS:
            continue
        if "%" not in time.format:
            known = ", ".join(("iso8601", *_EPOCHS))
            yield document.problem((*at, "format"), f"{time.format!r} is none of {known}, nor a strptime line")
        elif "%Z" in time.format:
            yield document.problem((*at, "format"), "names of zones (%Z) are ambiguous; leave it out and give `zone`")
        elif "%z" not in time.format and time.zone is None:
            yield document.problem((*at, "format"), "has no %z, so the key `zone` must say whose clock it is")
        elif said := _bad_format(time.format):
            yield document.problem((*at, "format"), said)


def _bad_format(line: str) -> str | None:
    try:
        duckdb.execute("SELECT try_strptime('', ?)", [line]).fetchall()
    except duckdb.Error as error:
        return f"is no strptime line: {str(error).splitlines()[0]}"
    return None


def _column(document: Located, name: str, value: Value) -> Iterator[Problem]:
    at = ("columns", name)
    if name not in COLUMNS:
        instead = {
            "time": "the key `time` says it", "native_id": "the key `id` says it",
            "bytes_out": "the key `bytes` says it", "bytes_in": "the key `bytes` says it",
            "category": "the key `category` says it", "identity_strength": "the key `authenticated` says it",
        }  # fmt: skip
        near = get_close_matches(name, COLUMNS, n=1)
        hint = instead.get(name) or (f"did you mean '{near[0]}'?" if near else f"there are: {', '.join(COLUMNS)}")
        yield document.problem(at, f"no column '{name}' to fill here; {hint}")
        return
    yield from _value(document, at, value)
    if name in IDENTITIES and not value.identity:
        yield document.problem(at, "needs the key `identity`, such as proxy:user/{realm}/{}")
    if value.http and name != "status":
        yield document.problem((*at, "http"), "only `status` is read from an HTTP status code")
    if value.strength != "asserted" and name != "delegator":
        yield document.problem((*at, "strength"), "only a delegator has one here; see `authenticated`")
    words = WORDS.get(name, ())
    said = [*value.values.values(), *([value.value] if value.value else []), *filter(None, [value.otherwise])]
    for word in said:
        if words and word not in words:
            yield document.problem(at, f"{word!r} is none of {', '.join(words)}")


def _value(document: Located, at: tuple[str | int, ...], value: Value) -> Iterator[Problem]:
    if bool(value.from_) == (value.value is not None):
        yield document.problem(at, "needs either `from` or `value`")
    if value.identity is not None and not _IDENTITY.fullmatch(value.identity):
        example = "proxy:user/{realm}/{}"
        yield document.problem(
            (*at, "identity"), f"{value.identity!r} is no identifier with one {{}}, such as {example}"
        )
    if value.otherwise is not None and not value.values:
        yield document.problem((*at, "otherwise"), "belongs to `values`")


def _grant(document: Located, at: tuple[str | int, ...], grant: Grant) -> Iterator[Problem]:
    if grant.kind == "issue" and grant.parent is None:
        yield document.problem(at, "an issue needs a `parent`: what gave rise to the child")
    for side in ("parent", "child", "delegator"):
        value: Value | None = getattr(grant, side)
        if value is None:
            continue
        yield from _value(document, (*at, side), value)
        if not value.identity:
            yield document.problem((*at, side), "needs the key `identity`, such as oauth:token/{realm}#{}")
