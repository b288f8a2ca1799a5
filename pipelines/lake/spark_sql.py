"""What sqlglot renders wrongly from DuckDB to Spark, mended: this is the one place, and each mend says why.

The session that the texts run in is part of the bargain (`pipelines.lake.spark_session`): ANSI on, so that overflow
and bad casts fail as they do in DuckDB; UTC; TIMESTAMP without a zone. `tests/pipelines/lake/test_semantics.py` runs
every function that a text uses on both engines.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, cast

from sqlglot import exp
from sqlglot.dialects.spark import Spark

from pipelines.lake.java_pattern import PREFIX, NotJava, java_pattern, java_replacement


class Unmendable(Exception):
    """A text that means something in DuckDB which no Spark SQL says; the text says why."""


_NO_ESCAPE = "'\\u0000'"
"""LIKE escapes by a backslash in Spark, by nothing in DuckDB: this sign stands in no text (ingest replaces it)."""

_SEVERAL = "".join(chr(code) for code in range(128, 0xFFFF) if len(chr(code).upper()) > 1)
"""Characters whose capital is several in Java; to DuckDB it is one, or the character itself."""

_ONE = {"ß": "ẞ", "ᾳ": "ᾼ", "ῃ": "ῌ", "ῳ": "ῼ"} | {
    chr(code): chr(code + 8) for row in (0x1F80, 0x1F90, 0x1FA0) for code in range(row, row + 8)
}
"""Those that have one capital in Unicode's simple mapping, which DuckDB takes."""

_EXACT = (exp.Floor, exp.Ceil, exp.Literal, exp.Null, exp.Count, exp.IntDiv, exp.StrPosition, exp.Length)
_TEXTS = (exp.RegexpExtract, exp.SplitPart, exp.Substring, exp.Replace, exp.Lower, exp.Upper, exp.Trim)

Sql = Any
"""sqlglot's generator, whose `sql` renders a part."""


def _text(node: exp.Expr | None) -> str | None:
    """The text of a literal."""
    return str(node.this) if isinstance(node, exp.Literal) and node.is_string else None


def _number(node: exp.Expr | None) -> int | None:
    if isinstance(node, exp.Neg):
        inner = _number(node.this)
        return None if inner is None else -inner
    return int(node.this) if isinstance(node, exp.Literal) and node.is_int else None


def _quoted(sql: Sql, text: str) -> str:
    return str(sql.sql(exp.Literal.string(text)))


def _is_nonzero(node: exp.Expr) -> bool:
    return isinstance(node, exp.Literal) and not node.is_string and float(node.this) != 0


def _unless_zero(sql: Sql, node: exp.Expr) -> str:
    return str(sql.sql(node)) if _is_nonzero(node) else f"NULLIF({sql.sql(node)}, 0)"


def _mod(sql: Sql, node: exp.Mod) -> str:
    """By zero: null in DuckDB, an error in Spark."""
    return f"{sql.sql(node, 'this')} % {_unless_zero(sql, node.expression)}"


def _int_div(sql: Sql, node: exp.IntDiv) -> str:
    """By zero: null in DuckDB, an error in Spark."""
    return f"{sql.sql(node, 'this')} DIV {_unless_zero(sql, node.expression)}"


def _div(sql: Sql, node: exp.Div) -> str:
    """Always of doubles in DuckDB (Spark divides decimals as such), and by zero as IEEE 754 has it (an error)."""
    above = f"CAST({sql.sql(node, 'this')} AS DOUBLE)"
    below = f"CAST({sql.sql(node, 'expression')} AS DOUBLE)"
    if _is_nonzero(node.expression):
        return f"{above} / {below}"
    by_zero = " ".join(
        f"WHEN {test} THEN CAST('{value}' AS DOUBLE)"
        for test, value in ((f"{above} > 0", "Infinity"), (f"{above} < 0", "-Infinity"), (f"{above} = 0", "NaN"))
    )
    nan = f"WHEN isnan({above}) THEN {above}"
    return f"CASE WHEN {below} = 0 THEN CASE {nan} {by_zero} END ELSE {above} / {below} END"


def _gathered(sql: Sql, node: exp.ArrayAgg, suffix: str = "") -> str:
    """Spark leaves out nulls and makes an empty list of nothing; DuckDB keeps them and gives null."""
    inner, distinct = node.this, ""
    if isinstance(inner, exp.Distinct):
        inner, distinct = inner.expressions[0], "DISTINCT "
    wrapped = f"collect_list({distinct}named_struct('item', {sql.sql(inner)})){suffix}"
    return f"CASE WHEN size({wrapped}) > 0 THEN transform({wrapped}, gathered -> gathered.item) END"


def _array_agg(sql: Sql, node: exp.ArrayAgg) -> str:
    return _gathered(sql, node)


def _filter(sql: Sql, node: exp.Filter) -> str:
    """The filter belongs to the aggregate within what is made of it above."""
    if isinstance(node.this, exp.ArrayAgg):
        return _gathered(sql, node.this, f" FILTER(WHERE {sql.sql(node.expression, 'this')})")
    return str(Spark.Generator.filter_sql(sql, node))


def _bracket(sql: Sql, node: exp.Bracket) -> str:
    """A place outside the list: null in DuckDB, an error in Spark; sqlglot renders it for Spark without ANSI."""
    at = node.expressions[0]
    place = _number(at)
    if place is None:
        msg = "what stands in brackets must be a number; write list_slice or a struct's field"
        raise Unmendable(msg)
    # The parser has made it count from 0.
    return f"try_element_at({sql.sql(node, 'this')}, {place + 1})" if place + 1 else "NULL"


def _array_contains(sql: Sql, node: exp.ArrayContains) -> str:
    """Of a list with a null Spark's own says null where DuckDB's says false."""
    return f"(array_position({sql.sql(node, 'this')}, {sql.sql(node, 'expression')}) > 0)"


def _whole(name: str) -> Callable[[Sql, exp.Expr], str]:
    """floor() and ceil() of a double are doubles in DuckDB, infinite ones too; in Spark whole numbers. From 2^53 on
    every double is whole.
    """

    def rendered(sql: Sql, node: exp.Expr) -> str:
        value = f"CAST({sql.sql(node, 'this')} AS DOUBLE)"
        return f"CASE WHEN abs({value}) < 9e15D THEN CAST({name}({value}) AS DOUBLE) ELSE {value} END"

    return rendered


def _array_concat(sql: Sql, node: exp.ArrayConcat) -> str:
    """To DuckDB a list that is null is an empty one, unless all are."""
    lists = [sql.sql(one) for one in (node.this, *node.expressions)]
    filled = ", ".join(f"coalesce({one}, array())" for one in lists)
    return f"CASE WHEN coalesce({', '.join(lists)}) IS NOT NULL THEN concat({filled}) END"


def _array_to_string(sql: Sql, node: exp.ArrayToString) -> str:
    """Of a list of nothing but nulls: null in DuckDB, the empty text in Spark."""
    one = sql.sql(node, "this")
    nothing = f"size({one}) > 0 AND size(array_compact({one})) = 0"
    return f"CASE WHEN NOT ({nothing}) THEN array_join({one}, {sql.sql(node, 'expression')}) END"


def _array_distinct(sql: Sql, node: exp.ArrayDistinct) -> str:
    """DuckDB leaves out nulls."""
    return f"array_distinct(array_compact({sql.sql(node, 'this')}))"


def _list_slice(sql: Sql, arguments: list[exp.Expr]) -> str:
    """By first and last place in DuckDB, by first place and length in Spark."""
    start, end = (_number(one) for one in arguments[1:3])
    if len(arguments) != 3 or start is None or end is None or start < 1 or end < start:
        msg = "list_slice() takes two positive numbers, the second not below the first"
        raise Unmendable(msg)
    return f"slice({sql.sql(arguments[0])}, {start}, {end - start + 1})"


def _list_position(sql: Sql, arguments: list[exp.Expr]) -> str:
    """What is not there: null in DuckDB, 0 in Spark."""
    return f"NULLIF(array_position({', '.join(sql.sql(one) for one in arguments)}), 0)"


def _to_milliseconds(sql: Sql, arguments: list[exp.Expr]) -> str:
    """Spark has no such function."""
    return f"(({sql.sql(arguments[0])}) * INTERVAL '0.001' SECOND)"


_NAMED: Mapping[str, Callable[[Sql, list[exp.Expr]], str]] = {
    "list_slice": _list_slice,
    "list_position": _list_position,
    "to_milliseconds": _to_milliseconds,
}
"""Functions that sqlglot has no node for and passes through."""


def unknown_functions(tree: exp.Expr) -> set[str]:
    """The functions of a text that neither sqlglot nor this file knows: they would be passed through."""
    return {node.name.lower() for node in tree.find_all(exp.Anonymous)} - set(_NAMED)


def _anonymous(sql: Sql, node: exp.Anonymous) -> str:
    """The generator makes such nodes itself, for Spark's own functions."""
    mend = _NAMED.get(node.name.lower())
    return mend(sql, node.expressions) if mend else str(sql.anonymous_sql(node))


def _window(sql: Sql, node: exp.Window) -> str:
    """Spark reads `OVER name - x` as one name."""
    alias = node.args.get("alias")
    if alias is None or node.args.get("partition_by") or node.args.get("order"):
        return str(Spark.Generator.window_sql(sql, node))
    if node.arg_key == "windows":
        return str(Spark.Generator.window_sql(sql, node))
    return f"{sql.sql(node, 'this')} OVER ({sql.sql(alias)})"


def _pattern(sql: Sql, node: exp.Expr, options: str = "") -> str:
    """RE2 and Java read some signs otherwise; an expression that is put together is taken to avoid them."""
    literal = _text(node)
    if literal is None:
        if options:
            msg = "a regular expression with options must be a literal"
            raise Unmendable(msg)
        return f"concat('{PREFIX}', {sql.sql(node)})"
    if set(options) - set("is"):
        msg = f"the options {options!r} of a regular expression have no counterpart"
        raise Unmendable(msg)
    try:
        return _quoted(sql, java_pattern(("(?s)" if "s" in options else "") + literal, folded="i" in options))
    except NotJava as error:
        raise Unmendable(str(error)) from error


def _options(node: exp.Expr, key: str) -> str:
    options = node.args.get(key)
    if options is None:
        return ""
    text = _text(options)
    if text is None:
        msg = "the options of a regular expression must be a literal"
        raise Unmendable(msg)
    return text


def _regexp_like(sql: Sql, node: exp.RegexpLike) -> str:
    return f"({sql.sql(node, 'this')} RLIKE {_pattern(sql, node.expression, _options(node, 'flag'))})"


def _regexp_extract(sql: Sql, node: exp.RegexpExtract) -> str:
    """Without a group the whole match in DuckDB, the first group in Spark."""
    pattern = _pattern(sql, node.expression, _options(node, "parameters"))
    group = node.args.get("group")
    return f"regexp_extract({sql.sql(node, 'this')}, {pattern}, {sql.sql(group) if group else 0})"


def _regexp_replace(sql: Sql, node: exp.RegexpReplace) -> str:
    """DuckDB replaces the first match unless told otherwise, Spark all: equal where there can be but one."""
    options, literal = _options(node, "modifiers"), _text(node.expression)
    if "g" not in options and (literal is None or not literal.startswith("^") or "|" in literal.split("(")[0]):
        msg = "regexp_replace() replaces all on Spark: give it the option 'g', or begin the expression with ^"
        raise Unmendable(msg)
    replacement = _text(node.args.get("replacement"))
    if replacement is None:
        msg = "what regexp_replace() puts in must be a literal"
        raise Unmendable(msg)
    pattern = _pattern(sql, node.expression, options.replace("g", ""))
    return f"regexp_replace({sql.sql(node, 'this')}, {pattern}, {_quoted(sql, java_replacement(replacement))})"


_UNITS = {"MICROSECOND", "SECOND", "MINUTE", "HOUR", "DAY", "MONTH", "YEAR"}


def _date_diff(sql: Sql, node: exp.DateDiff) -> str:
    """DuckDB counts the borders between two times, Spark whole units."""
    unit = str(node.args.get("unit") or "DAY").strip("'").upper()
    if unit not in _UNITS:
        msg = f"date_diff() in units of {unit.lower()!r} is counted otherwise; take days or less, months or years"
        raise Unmendable(msg)
    later, earlier = sql.sql(node, "this"), sql.sql(node, "expression")
    if unit != "MICROSECOND":
        later, earlier = (f"date_trunc('{unit}', {one})" for one in (later, earlier))
    return f"timestampdiff({unit}, {earlier}, {later})"


def _truncated(sql: Sql, node: exp.TimestampTrunc | exp.DateTrunc) -> str:
    """Spark gives a time with a zone."""
    unit = str(node.args.get("unit") or "DAY").strip("'").upper()
    return f"CAST(date_trunc('{unit}', {sql.sql(node, 'this')}) AS TIMESTAMP_NTZ)"


def _round(sql: Sql, node: exp.Round) -> str:
    """Spark rounds the shortest decimal that reads as the double, DuckDB the double times a power of ten."""
    digits = 0 if node.args.get("decimals") is None else _number(node.args["decimals"])
    if digits is None or digits < 0:
        msg = "round() takes a number of digits that is written out"
        raise Unmendable(msg)
    value = sql.sql(node, "this")
    return f"(round(CAST({value} AS DOUBLE) * 1e{digits}D, 0) / 1e{digits}D)" if digits else f"round({value}, 0)"


def _cast(sql: Sql, node: exp.Cast) -> str:
    """DuckDB rounds a double on its way to a whole number (halves to even) or a decimal; Spark cuts, or rounds the
    decimal that it shows.
    """
    value, to = node.this, node.to
    plain = str(Spark.Generator.cast_sql(sql, node))
    if to.is_type(exp.DType.BIGINT, exp.DType.INT) and not isinstance(value, (*_EXACT, *_TEXTS)):
        return f"CAST(bround({sql.sql(value)}) AS {sql.sql(to)})"
    if to.is_type(exp.DType.DECIMAL) and isinstance(value, (exp.Div, exp.Column)) and len(to.expressions) == 2:
        scale = int(to.expressions[1].name)
        rounded = f"CAST(round(CAST({sql.sql(value)} AS DOUBLE) * 1e{scale}D, 0) AS DECIMAL(38, 0))"
        return f"CAST({rounded} / 1{'0' * scale} AS {sql.sql(to)})" if scale else f"CAST({rounded} AS {sql.sql(to)})"
    return plain


def _like(name: str) -> Callable[[Sql, exp.Expr], str]:
    def rendered(sql: Sql, node: exp.Expr) -> str:
        said = f"NOT {name}" if node.args.get("negate") else name
        plain = f"{sql.sql(node, 'this')} {said} {sql.sql(node, 'expression')}"
        return plain if isinstance(node.parent, exp.Escape) else f"{plain} ESCAPE {_NO_ESCAPE}"

    return rendered


def _lower(sql: Sql, node: exp.Lower) -> str:
    """Java makes two characters of the dotted capital I, and another sigma at a word's end."""
    return f"lower(translate({sql.sql(node, 'this')}, 'İΣ', 'i\u03c3'))"


def _upper(sql: Sql, node: exp.Upper) -> str:
    """Java makes several characters of some: those are left out of it, which costs nothing where there are none."""
    value = sql.sql(node, "this")
    seen = f"'[{_SEVERAL}]'"
    changed = f"translate(letter, '{''.join(_ONE)}', '{''.join(_ONE.values())}')"
    letter = f"CASE WHEN letter RLIKE {seen} THEN {changed} ELSE upper(letter) END"
    letters = f"transform(split({value}, ''), letter -> {letter})"
    return f"CASE WHEN {value} RLIKE {seen} THEN array_join({letters}, '') ELSE upper({value}) END"


def _split_part(sql: Sql, node: exp.SplitPart) -> str:
    """Place 0 and an empty delimiter are errors or mean something else in Spark."""
    delimiter, place = node.args.get("delimiter"), node.args.get("part_index")
    if not _text(delimiter) or not _number(place):
        msg = "split_part() takes a delimiter and a place that are written out"
        raise Unmendable(msg)
    return f"split_part({sql.sql(node, 'this')}, {sql.sql(delimiter)}, {sql.sql(place)})"


_MENDS: dict[type[exp.Expr], Callable[[Any, Any], str]] = {
    exp.Anonymous: _anonymous,
    exp.ArrayAgg: _array_agg,
    exp.ArrayConcat: _array_concat,
    exp.ArrayContains: _array_contains,
    exp.ArrayDistinct: _array_distinct,
    exp.ArrayToString: _array_to_string,
    exp.Bracket: _bracket,
    exp.Cast: _cast,
    exp.Ceil: _whole("ceil"),
    exp.DateDiff: _date_diff,
    exp.DateTrunc: _truncated,
    exp.Div: _div,
    exp.Filter: _filter,
    exp.Floor: _whole("floor"),
    exp.ILike: _like("ILIKE"),
    exp.IntDiv: _int_div,
    exp.Like: _like("LIKE"),
    exp.Lower: _lower,
    exp.Mod: _mod,
    exp.RegexpExtract: _regexp_extract,
    exp.RegexpLike: _regexp_like,
    exp.RegexpReplace: _regexp_replace,
    exp.Round: _round,
    exp.SplitPart: _split_part,
    exp.TimestampTrunc: _truncated,
    exp.Upper: _upper,
    exp.Window: _window,
}


class MendedSpark(Spark):
    """Spark's dialect with the mends above."""

    class Generator(Spark.Generator):  # type: ignore[misc,valid-type]
        """See `_MENDS`."""

        TRANSFORMS = {**Spark.Generator.TRANSFORMS, **cast("dict[Any, Any]", _MENDS)}
