"""What a `query` may say: DuckDB SQL that renders to Spark SQL, without what is known to come out wrong."""

from __future__ import annotations

import sqlglot
from sqlglot import expressions as exp
from sqlglot.errors import ErrorLevel, SqlglotError
from sqlglot.tokenizer_core import TokenType

from pipelines.lake.spark_sql import MendedSpark, Unmendable, unknown_functions

BANNED_FUNCTIONS = {
    "EPOCH_US": "passes through unchanged",
    "HASH": "passes through unchanged",
    "QUANTILE_CONT": "renders wrongly",
    "TIMEZONE": "has no counterpart",
    "TIME_BUCKET": "has no counterpart",
    "ISODOW": "begins its week on another day",
}
"""Functions that sqlglot renders wrongly for Spark, or not at all, and what goes wrong."""

BANNED_WORDS = {"ASOF", "GLOB", "SIMILAR", "~", "!~"}
"""Operators that pass through unchanged, or that sqlglot takes for others: `~` matches the whole text in DuckDB."""


class NotPortable(Exception):
    """A query text that would not mean the same on both engines; the text says why."""


def spark(sql: str) -> str:
    """The Spark SQL of a DuckDB SELECT. Raises NotPortable for what does not parse, render, or is banned."""
    return render(portable(sql))


def render(tree: exp.Query) -> str:
    """The Spark SQL of a query that `portable` has passed, or of a part of it."""
    try:
        return tree.sql(dialect=MendedSpark, unsupported_level=ErrorLevel.RAISE, comments=False)
    except (SqlglotError, Unmendable) as error:
        raise NotPortable(f"does not render: {error}") from error


def portable(sql: str) -> exp.Query:
    """A DuckDB SELECT, parsed. Raises NotPortable for what does not parse or is banned."""
    try:
        statements = sqlglot.parse(sql, read="duckdb")
    except SqlglotError as error:
        raise NotPortable(f"does not parse: {error}") from error
    if len(statements) != 1 or not isinstance(statements[0], exp.Query):
        raise NotPortable("is not one SELECT")
    tree = statements[0]
    _refuse_banned(sql, tree)
    unknown = unknown_functions(tree)
    if unknown:
        raise NotPortable(f"{', '.join(sorted(unknown))} has no counterpart that is known")
    return tree


def _refuse_banned(sql: str, tree: exp.Query) -> None:
    tokens = sqlglot.tokenize(sql, read="duckdb")
    for token, following in zip(tokens, [*tokens[1:], None], strict=True):
        # Names are told by their spelling: the parser gives many functions other names.
        word = token.text.upper()
        called = following is not None and following.token_type is TokenType.L_PAREN
        if called and word in BANNED_FUNCTIONS:
            raise NotPortable(f"{word} {BANNED_FUNCTIONS[word]}")
        if token.token_type is not TokenType.STRING and word.split(" ")[0] in BANNED_WORDS:
            raise NotPortable(f"{word} passes through unchanged")
    for ordered in tree.find_all(exp.Order):
        if isinstance(ordered.parent, (exp.ArrayAgg, exp.GroupConcat)):
            raise NotPortable("ORDER BY inside an aggregate is dropped")
    if any(with_.recursive for with_ in tree.find_all(exp.With)):
        raise NotPortable("a recursive CTE has no counterpart")
