"""The pySigma backend: a rule's condition to a tree of tests (`detectors.sigma_tree`).

Meaning by the Sigma specification 2.1 (https://github.com/SigmaHQ/sigma-specification): texts match without
regard to case unless `cased`, `*` and `?` are wildcards, `null` is a field that is missing or null, a value
without a field is searched in the whole record. Every text of a rule is an SQL literal with its quotes doubled.
"""

from __future__ import annotations

import json
import re
from typing import Any as Whatever
from typing import NoReturn, cast

import re2  # type: ignore[import-untyped]
from sigma.conditions import (
    ConditionAND,
    ConditionFieldEqualsValueExpression,
    ConditionNOT,
    ConditionOR,
    ConditionValueExpression,
)
from sigma.conversion.base import Backend
from sigma.conversion.state import ConversionState
from sigma.exceptions import SigmaFeatureNotSupportedByBackendError, SigmaValueError
from sigma.types import (
    CompareOperators,
    SigmaBool,
    SigmaCasedString,
    SigmaCIDRExpression,
    SigmaCompareExpression,
    SigmaExpansion,
    SigmaFieldReference,
    SigmaNumber,
    SigmaRegularExpression,
    SigmaString,
    SigmaStringPartType,
    SigmaTimestampPart,
    SpecialChars,
    TimestampPart,
)

from detectors.glob import regular_sql
from detectors.manifest_tables import bounds
from detectors.sigma_logs import Log
from detectors.sigma_tree import All, Any, Compare, Empty, Form, Node, Not, Pair, Present

MAX_TEXT = 10_000
"""Characters of one value: longer ones are data, not a pattern."""
MAX_EXPRESSION = 2_000
"""Characters of one regular expression."""
MAX_EXPRESSION_BYTES = 8 << 20
"""Memory of one compiled expression: RE2's own default, which DuckDB keeps to."""
_EXACT = 2**53
"""Whole numbers below this are exact as DOUBLE."""

Field = ConditionFieldEqualsValueExpression
Keyword = ConditionValueExpression

_OPERATORS = {
    CompareOperators.LT: "<",
    CompareOperators.LTE: "<=",
    CompareOperators.GT: ">",
    CompareOperators.GTE: ">=",
    CompareOperators.NEQ: "<>",
}
_ANY = SpecialChars.WILDCARD_MULTI


def literal(text: str) -> str:
    """An SQL text literal. Raises SigmaValueError for a NUL, which no record holds."""
    if "\0" in text:
        raise SigmaValueError("the value has a NUL character (utf16 or wide without base64), which no text log has")
    if len(text) > MAX_TEXT:
        raise SigmaValueError(f"the value has {len(text)} characters; at most {MAX_TEXT} can be sought")
    return "'" + text.replace("'", "''") + "'"


def expression_fault(pattern: str) -> str | None:
    """Why a regular expression cannot run, or None. Spark's own engine is Java's; scans run DuckDB's RE2 on both."""
    if len(pattern) > MAX_EXPRESSION:
        return f"the regular expression has {len(pattern)} characters; at most {MAX_EXPRESSION} can be run"
    return _compiled(pattern)


def _compiled(pattern: str) -> str | None:
    options = re2.Options()
    options.log_errors = False
    options.max_mem = MAX_EXPRESSION_BYTES
    try:
        re2.compile(pattern, options)
    except re2.error as error:
        said = error.args[0] if error.args else error
        reason = said.decode(errors="replace") if isinstance(said, bytes) else str(said)
        return f"RE2 does not take the regular expression: {reason}{_hint(pattern)}"
    return None


def _hint(pattern: str) -> str:
    if any(sign in pattern for sign in ("(?=", "(?!", "(?<=", "(?<!")):
        return " (lookaround is not in RE2, which runs in linear time)"
    if any(f"\\{digit}" in pattern for digit in "123456789"):
        return " (backreferences are not in RE2, which runs in linear time)"
    return ""


class SqlBackend(Backend):
    """Conditions of rules on one log to trees; everything that cannot be one raises a SigmaError."""

    name = "WorkerTrail"

    def __init__(self, log: Log) -> None:
        super().__init__()
        self.log = log

    def convert_condition_or(self, cond: ConditionOR, state: ConversionState) -> Node:
        return Any(tuple(self.convert_condition(one, state) for one in cond.args))

    def convert_condition_and(self, cond: ConditionAND, state: ConversionState) -> Node:
        return All(tuple(self.convert_condition(one, state) for one in cond.args))

    def convert_condition_not(self, cond: ConditionNOT, state: ConversionState) -> Node:
        return Not(self.convert_condition(cond.args[0], state))

    def convert_condition_field_eq_val_str(self, cond: Field, state: ConversionState) -> Node:  # noqa: ARG002
        return _text(self.field(cond.field), cast(SigmaString, cond.value).s, "folded")

    def convert_condition_field_eq_val_str_case_sensitive(self, cond: Field, state: ConversionState) -> Node:  # noqa: ARG002
        return _text(self.field(cond.field), cast(SigmaString, cond.value).s, "text")

    def convert_condition_field_eq_val_num(self, cond: Field, state: ConversionState) -> Node:  # noqa: ARG002
        number = cast(SigmaNumber, cond.value).number
        field = self.field(cond.field)
        if abs(number) >= _EXACT:
            raise SigmaValueError("the number is too large to be exact; put it in quotes")
        return Compare(field, "text", ("try_cast(", f" AS DOUBLE) = {number!r}"))

    def convert_condition_field_eq_val_bool(self, cond: Field, state: ConversionState) -> Node:  # noqa: ARG002
        word = "true" if cast(SigmaBool, cond.value).boolean else "false"
        return Compare(self.field(cond.field), "folded", ("", f" = '{word}'"))

    def convert_condition_field_eq_val_timestamp_part(self, cond: Field, state: ConversionState) -> Node:  # noqa: ARG002
        value = cast(SigmaTimestampPart, cond.value)
        part = _TIME_PARTS[value.timestamp_part]
        return Compare(
            self.field(cond.field),
            "text",
            (f"date_part('{part}', make_timestamp(epoch_us(try_cast(", f" AS TIMESTAMPTZ)))) = {value.number!r}"),
        )

    def convert_condition_field_eq_val_re(self, cond: Field, state: ConversionState) -> Node:  # noqa: ARG002
        return _expression(self.field(cond.field), cast(SigmaRegularExpression, cond.value))

    def convert_condition_field_eq_val_cidr(self, cond: Field, state: ConversionState) -> Node:  # noqa: ARG002
        found = bounds(cast(SigmaCIDRExpression, cond.value).cidr)
        low, high = literal(found["low"]), literal(found["high"])
        # Digits of one family compare as numbers do; the other family has other lengths.
        parts = ("(length(", f") = {len(found['low'])} AND ", f" BETWEEN {low} AND {high})")
        return Compare(self.field(cond.field), "address", parts)

    def convert_condition_field_compare_op_val(self, cond: Field, state: ConversionState) -> Node:  # noqa: ARG002
        value = cast(SigmaCompareExpression, cond.value)
        parts = ("try_cast(", f" AS DOUBLE) {_OPERATORS[value.op]} {value.number.number!r}")
        return Compare(self.field(cond.field), "text", parts)

    def convert_condition_field_eq_field(self, cond: Field, state: ConversionState) -> Node:  # noqa: ARG002
        value = cast(SigmaFieldReference, cond.value)
        how = {(False, False): "=", (True, False): "starts_with", (False, True): "ends_with", (True, True): "contains"}
        function = how[(value.starts_with, value.ends_with)]
        return Pair(self.field(cond.field), self.field(value.field), function)  # type: ignore[arg-type]

    def convert_condition_field_eq_val_null(self, cond: Field, state: ConversionState) -> Node:  # noqa: ARG002
        return Empty(self.field(cond.field))

    def convert_condition_field_exists(self, cond: Field, state: ConversionState) -> Node:  # noqa: ARG002
        return Present(self.field(cond.field))

    def convert_condition_val(self, cond: Keyword, state: ConversionState) -> Node:  # noqa: ARG002
        return self._keyword(cond.value)

    def _keyword(self, value: Whatever) -> Node:
        """A value without a field is sought anywhere in the record; in JSON also as JSON writes it."""
        match value:
            case SigmaExpansion():
                return Any(tuple(self._keyword(one) for one in value.values))
            case SigmaRegularExpression():
                return _expression(None, value)
            case SigmaNumber():
                return _text(None, [_ANY, str(value.number), _ANY], "folded")
            case SigmaString():
                form: Form = "text" if isinstance(value, SigmaCasedString) else "folded"
                inner = [_ANY, *value.s, _ANY]
                escaped = [json.dumps(part)[1:-1] if isinstance(part, str) else part for part in inner]
                plain = _text(None, inner, form)
                written = [
                    json.dumps(part, ensure_ascii=False)[1:-1] if isinstance(part, str) else part for part in inner
                ]
                variants = [one for one in (written, escaped) if self.log.is_json and one != inner]
                return Any((plain, *(_text(None, one, form) for one in variants))) if variants else plain
        raise SigmaFeatureNotSupportedByBackendError(f"a value of this kind needs a field: {value}")

    def field(self, name: str) -> str:
        """The log's spelling of a field; raises SigmaValueError for one that the log cannot have."""
        try:
            return self.log.resolve(name)
        except ValueError as error:
            raise SigmaValueError(str(error)) from error

    def _refuse(self, *args: Whatever, **kwargs: Whatever) -> NoReturn:  # noqa: ARG002
        msg = f"{type(self).__name__} does not convert this"
        raise SigmaFeatureNotSupportedByBackendError(msg)

    convert_condition_as_in_expression = _refuse
    convert_condition_field_not_exists = _refuse
    convert_condition_field_eq_query_expr = _refuse
    convert_condition_val_str = _refuse
    convert_condition_val_num = _refuse
    convert_condition_val_re = _refuse
    convert_condition_query_expr = _refuse
    convert_correlation_event_count_rule = _refuse
    convert_correlation_value_count_rule = _refuse
    convert_correlation_temporal_rule = _refuse
    convert_correlation_temporal_ordered_rule = _refuse
    convert_correlation_extended_temporal_rule = _refuse
    convert_correlation_extended_temporal_ordered_rule = _refuse
    convert_correlation_value_sum_rule = _refuse
    convert_correlation_value_avg_rule = _refuse
    convert_correlation_value_percentile_rule = _refuse
    convert_correlation_value_median_rule = _refuse


_TIME_PARTS = {
    TimestampPart.MINUTE: "minute",
    TimestampPart.HOUR: "hour",
    TimestampPart.DAY: "day",
    TimestampPart.WEEK: "week",
    TimestampPart.MONTH: "month",
    TimestampPart.YEAR: "year",
}


def _expression(field: str | None, value: SigmaRegularExpression) -> Compare:
    flags = "".join(sorted(value.sigma_to_re_flag[flag] for flag in value.flags))
    if value.contains_placeholder():
        raise SigmaValueError("a placeholder (`expand`) has no list of values here")
    pattern = (f"(?{flags})" if flags else "") + value.regexp.to_plain_regex()
    fault = expression_fault(pattern)
    if fault:
        raise SigmaValueError(fault)
    # DuckDB makes LIKE of some expressions, which may take for ever (detectors.glob), but not of one with brackets.
    return Compare(field, "text", ("regexp_matches(", f", {literal('()' + pattern)})"))


def _text(field: str | None, pieces: list[SigmaStringPartType], form: Form) -> Compare:
    """A text with wildcards as the cheapest SQL that means the same."""
    if any(not isinstance(piece, str | SpecialChars) for piece in pieces):
        raise SigmaValueError("a placeholder (`expand`) has no list of values here")
    # Two stars say no more than one, and cost a matcher dearly.
    kept = [one for at, one in enumerate(pieces) if one is not _ANY or at == 0 or pieces[at - 1] is not _ANY]

    def sought(text: str) -> str:
        return literal(text) if form == "text" else f"lower({literal(text)})"

    parts: tuple[str, ...]
    match kept:
        case []:
            parts = ("", " = ''")
        case [str() as text]:
            parts = ("", f" = {sought(text)}")
        case [one] if one is _ANY:
            parts = ("", " IS NOT NULL")
        case [first, str() as text, last] if first is _ANY and last is _ANY:
            parts = _contains(sought(text), '"' in text)
        case [str() as text, last] if last is _ANY:
            parts = ("starts_with(", f", {sought(text)})")
        case [first, str() as text] if first is _ANY:
            parts = ("ends_with(", f", {sought(text)})")
        case _:
            fault = _compiled(_regular(kept))
            if fault:
                raise SigmaValueError(fault)
            # LIKE may take for ever with stars within (detectors.glob); of a literal this is one expression.
            parts = ("regexp_matches(", f", {regular_sql(sought(''.join(_like(piece) for piece in kept)))})")
    return Compare(field, form, parts)


def _contains(sought: str, quoted: bool) -> tuple[str, ...]:
    """A policy within a record is JSON within JSON: a sought quote is found there behind its backslash too."""
    if not quoted:
        return ("contains(", f", {sought})")
    return ("(contains(", f", {sought}) OR contains(replace(", f", '\\\"', '\"'), {sought}))")


def _regular(pieces: list[SigmaStringPartType]) -> str:
    """What the engine is given for a text with wildcards, to see whether it takes it."""
    parts = (re.escape(one) if isinstance(one, str) else ".*" if one is _ANY else "." for one in pieces)
    return f"^(?s)({''.join(parts)})\\z"


def _like(piece: SigmaStringPartType) -> str:
    if isinstance(piece, str):
        return piece.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return "%" if piece is _ANY else "_"
