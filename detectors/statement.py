"""What a detector's SQL may be: one SELECT over known tables, within what both engines run alike.

The text is parsed (sqlglot, DuckDB's dialect), never searched: a table function, a file name in FROM
or a function outside the list below has no way around it. The list holds only functions that depend
on nothing but their arguments and that sqlglot renders to Spark SQL with the same meaning.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import TypeVar

import duckdb
from sqlglot import exp, parse, tokenize
from sqlglot.errors import ErrorLevel, ParseError, SqlglotError, TokenError

from detectors.alternatives import refusal

REQUIRED = (
    "worker", "principal", "entity", "action_uid", "time", "chain_id", "severity", "confidence", "title",
    "explanation", "manifest_sha",
)  # fmt: skip
"""The columns of a row of evidence."""

OPTIONAL = ("window_start", "window_end", "day", "score", "p_value")
"""`day` is the UTC day that the evidence counts for where that is not the day of `time`."""

MAX_PAD = 1_000

_FUNCTIONS: tuple[type[exp.Expression], ...] = (
    exp.Abs, exp.And, exp.Array, exp.ArrayAgg, exp.ArrayContains, exp.ArrayDistinct, exp.ArrayMax, exp.ArrayMin,
    exp.ArraySize, exp.ArraySort, exp.ArrayToString, exp.Avg, exp.Case, exp.Cast, exp.Ceil, exp.Coalesce, exp.Concat,
    exp.ConcatWs, exp.Contains, exp.Count, exp.DateDiff, exp.DateTrunc, exp.DenseRank, exp.EndsWith, exp.Exists,
    exp.Explode, exp.FirstValue, exp.Floor, exp.Greatest, exp.Hex, exp.If, exp.Lag, exp.LastValue, exp.Lead,
    exp.Least, exp.Length, exp.Ln, exp.LogicalAnd, exp.LogicalOr, exp.Lower, exp.Max, exp.Min, exp.Not, exp.Nullif,
    exp.Or, exp.Pad, exp.Pow, exp.Rank, exp.RegexpExtract, exp.RegexpLike, exp.RegexpReplace, exp.Replace,
    exp.Round, exp.RowNumber, exp.Sign, exp.SplitPart, exp.Sqrt, exp.StartsWith, exp.Stddev, exp.StrPosition,
    exp.Struct, exp.Substring, exp.Sum, exp.TimeToStr, exp.TimestampTrunc, exp.Trim, exp.TryCast, exp.Unnest,
    exp.Upper, exp.Xor,
)  # fmt: skip

_REFUSED_NODES: tuple[tuple[type[exp.Expression], str], ...] = (
    (exp.SimilarTo, "SIMILAR TO has no counterpart in Spark; use regexp_matches"),
    (exp.Glob, "GLOB has no counterpart in Spark; use LIKE or regexp_matches"),
    (exp.Into, "a detector only reads: INTO is not allowed"),
    (exp.Pivot, "PIVOT is not allowed; write CASE"),
    (exp.Columns, "COLUMNS() is not allowed; name the columns"),
    (exp.AtTimeZone, "times are UTC: AT TIME ZONE is not allowed"),
    (exp.Parameter, "a detector takes no parameters"),
    (exp.Placeholder, "a detector takes no parameters"),
)


@dataclass(frozen=True)
class Fault:
    """One thing that is wrong in a SQL text; `line` counts from 1 within it."""

    line: int
    message: str


def faults(sql: str, tables: frozenset[str]) -> list[Fault]:
    """What is wrong with `sql` as a detector's statement over `tables`; empty where it may run."""
    try:
        statements = _parsed(sql)
    except ParseError as error:
        first = error.errors[0] if error.errors else {}
        return [Fault(int(first.get("line") or 1), f"the SQL does not parse: {first.get('description') or error}")]
    except (TokenError, RecursionError) as error:
        return [Fault(1, f"the SQL does not parse: {str(error) or 'it is nested too deeply'}")]
    try:
        duckdb.extract_statements(sql)
    except duckdb.Error as error:
        return [Fault(_named_line(str(error)), f"DuckDB does not parse the SQL: {str(error).splitlines()[0]}")]
    if len(statements) != 1 or not isinstance(statements[0], exp.Query):
        return [Fault(1, "the SQL must be one SELECT and nothing else")]
    query, nodes = statements[0], tuple(statements[0].walk())
    found = [fault for check in _CHECKS for fault in check(query, nodes, tables)]
    found += _list_length(sql)
    return found or list(_unrendered(query))


def columns(sql: str) -> frozenset[str]:
    """The names of the columns that a statement without faults gives."""
    statement = _parsed(sql)[0]
    return frozenset(statement.named_selects if isinstance(statement, exp.Query) else ())


@lru_cache(maxsize=8)
def _parsed(sql: str) -> tuple[exp.Expr, ...]:
    """The statements of a text; nobody changes them."""
    return tuple(statement for statement in parse(sql, read="duckdb") if statement is not None)


def _named_line(message: str) -> int:
    """The line that an error of DuckDB's parser names."""
    match = re.search(r"LINE (\d+):", message)
    return int(match[1]) if match else 1


def _line(node: exp.Expr) -> int:
    """The line of the first token under `node` that remembers one."""
    lines = (part.meta.get("line") for part in node.walk())
    return next((int(line) for line in lines if line), 1)


Nodes = Sequence[exp.Expr]
"""Every part of a query; it is walked once for all checks."""


Kind = TypeVar("Kind", bound=exp.Expr)


def _of(nodes: Nodes, kind: type[Kind]) -> Iterator[Kind]:
    return (node for node in nodes if isinstance(node, kind))


def _tables(_query: exp.Query, nodes: Nodes, tables: frozenset[str]) -> Iterator[Fault]:
    """Tables that are neither provided nor named in a WITH that the place can see."""
    for table in _of(nodes, exp.Table):
        if not isinstance(table.this, exp.Identifier) or table.args.get("db"):
            yield Fault(_line(table), f"{table.sql('duckdb')} is not a provided table; a detector reads nothing else")
        elif table.name not in tables and table.name not in _named_before(table):
            yield Fault(_line(table), f"there is no table {table.name}; there are {', '.join(sorted(tables))}")


def _named_before(table: exp.Table) -> frozenset[str]:
    """The names of WITH that a table stands behind: one that comes later, or the CTE's own, would be another table."""
    names: set[str] = set()
    node: exp.Expr | None = table
    while node is not None:
        parent = node.parent
        if isinstance(node, exp.CTE) and isinstance(parent, exp.With):
            earlier = parent.expressions[: next(at for at, cte in enumerate(parent.expressions) if cte is node)]
            names |= {cte.alias for cte in earlier}
            node = parent.parent.parent if parent.parent is not None else None
            continue
        if isinstance(node, exp.Query):
            names |= {cte.alias for cte in node.ctes}
        node = parent
    return frozenset(names)


def _functions(_query: exp.Query, nodes: Nodes, _tables: frozenset[str]) -> Iterator[Fault]:
    """Functions outside the list."""
    for function in _of(nodes, exp.Func):
        if isinstance(function, exp.Anonymous):
            yield Fault(_line(function), refusal(function.name.lower()))
        elif isinstance(function, exp.Pad) and not _is_short(function.expression):
            yield Fault(_line(function), f"lpad() and rpad() pad to a number of at most {MAX_PAD} characters")
        elif not isinstance(function, _FUNCTIONS):
            yield Fault(_line(function), refusal(function.sql_name().lower()))


def _is_short(length: exp.Expr) -> bool:
    """Whether it is a plain number that cannot make a text of a size that no memory limit sees."""
    return isinstance(length, exp.Literal) and length.is_int and int(length.name) <= MAX_PAD


def _shapes(query: exp.Query, nodes: Nodes, _tables: frozenset[str]) -> Iterator[Fault]:
    """Constructs that the two engines do not share."""
    for kind, message in _REFUSED_NODES:
        for node in _of(nodes, kind):
            yield Fault(_line(node), message)
    for clause in _of(nodes, exp.With):
        if clause.args.get("recursive"):
            yield Fault(_line(clause), "a recursive WITH is not allowed")
    for join in _of(nodes, exp.Join):
        if str(join.args.get("method") or "").upper() in {"ASOF", "POSITIONAL"}:
            yield Fault(_line(join), "ASOF and POSITIONAL joins have no counterpart in Spark; use a window")
    for gathered in _of(nodes, exp.ArrayAgg):
        if isinstance(gathered.this, exp.Order):
            yield Fault(_line(gathered), "ORDER BY inside list() is lost on Spark; sort the list")
    if query.args.get("limit") and not query.args.get("order"):
        yield Fault(_line(query), "LIMIT without ORDER BY picks rows at random")


def _columns(query: exp.Query, _nodes: Nodes, _tables: frozenset[str]) -> Iterator[Fault]:
    """Columns of a row of evidence that are missing, or that nobody reads."""
    names = query.named_selects
    if "*" in names:
        yield Fault(1, "name the columns of the last SELECT instead of *")
        return
    for name in REQUIRED:
        if name not in names:
            yield Fault(1, f"the last SELECT must have a column {name}")
    for name in names:
        if name not in REQUIRED + OPTIONAL:
            yield Fault(1, f"the last SELECT has a column '{name}' that nothing reads; put it into explanation")


def _list_length(sql: str) -> Iterator[Fault]:
    """`len(`, which the parser cannot tell from `length(`: Spark would take a list's length for a text's."""
    tokens = tokenize(sql, read="duckdb")
    for token, following in pairwise(tokens):
        if token.text.lower() == "len" and following.text == "(":
            yield Fault(token.line, "len() means LENGTH to Spark; write array_length() or length()")


_CHECKS: tuple[Callable[[exp.Query, Nodes, frozenset[str]], Iterator[Fault]], ...] = (
    _tables,
    _functions,
    _shapes,
    _columns,
)


def _unrendered(query: exp.Query) -> Iterator[Fault]:
    """What sqlglot itself says it cannot render to Spark SQL."""
    try:
        query.sql(dialect="spark", unsupported_level=ErrorLevel.RAISE)
    except SqlglotError as error:
        yield Fault(1, f"the SQL cannot be rendered to Spark: {error}")
