"""What a Sigma rule's condition becomes: a tree of tests on fields, rendered to SQL over extracted columns.

Every node is true or false, never null: a field that a record lacks fails its test, and `not` of that is true.
A field may have several values in one record (lists in the log); a test holds where it holds for any of them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

Form = Literal["text", "folded", "address"]
"""A value as it stands, in lower case, or (an IP address) as 8 or 32 hexadecimal digits."""

FOLDED: Mapping[Form, str] = {"text": "{}", "folded": "lower({})", "address": "address_digits({})"}
"""SQL that brings a value to its form."""


@dataclass(frozen=True)
class Compare:
    """A test of one value: SQL texts between which the value stands. A `field` of None is the whole record's text."""

    field: str | None
    form: Form
    parts: tuple[str, ...]


@dataclass(frozen=True)
class Pair:
    """A comparison of two fields without regard to case: an SQL function of two texts, or `=`."""

    field: str
    other: str
    function: Literal["=", "contains", "starts_with", "ends_with"]


@dataclass(frozen=True)
class Empty:
    """The record lacks the field, or holds null there."""

    field: str


@dataclass(frozen=True)
class Present:
    """The record has the field, be it null."""

    field: str


@dataclass(frozen=True)
class Not:
    """The opposite of a node."""

    node: Node


@dataclass(frozen=True)
class Any:
    """At least one of the nodes."""

    nodes: tuple[Node, ...]


@dataclass(frozen=True)
class All:
    """Each of the nodes."""

    nodes: tuple[Node, ...]


Node = Compare | Pair | Empty | Present | Not | Any | All


@dataclass(frozen=True)
class Columns:
    """Where a field's values stand: columns of its single value by form, of its list of values, of its presence."""

    number: int
    listed: bool
    """Whether any record of the batch has a list there; only then is its column looked at."""

    def value(self, form: Form) -> str:
        return f"{form}_{self.number}"

    @property
    def values(self) -> str:
        return f"values_{self.number}"

    @property
    def present(self) -> str:
        return f"present_{self.number}"


def leaves(node: Node) -> Iterator[Compare | Pair | Empty | Present]:
    """All tests of a tree."""
    if isinstance(node, Not):
        yield from leaves(node.node)
    elif isinstance(node, Any | All):
        for inner in node.nodes:
            yield from leaves(inner)
    else:
        yield node


def fields(node: Node) -> set[str]:
    """The fields that a tree reads."""
    found = {one.field for one in leaves(node) if one.field is not None}
    return found | {one.other for one in leaves(node) if isinstance(one, Pair)}


def forms(node: Node) -> set[tuple[str | None, Form]]:
    """The fields (None for the record's text) with the forms that their values are compared in."""
    found: set[tuple[str | None, Form]] = set()
    for one in leaves(node):
        if isinstance(one, Compare):
            found.add((one.field, one.form))
        elif isinstance(one, Pair):
            found |= {(one.field, "folded"), (one.other, "folded")}
        else:
            found.add((one.field, "text"))
    return found


def sql(node: Node, columns: Mapping[str, Columns]) -> str:
    """The tree as a boolean SQL expression; the record's text is the columns `text_raw` and `folded_raw`."""
    match node:
        case Not():
            return f"(NOT {sql(node.node, columns)})"
        case Any() | All():
            word = " OR " if isinstance(node, Any) else " AND "
            return f"({word.join(sql(inner, columns) for inner in node.nodes)})"
        case Empty():
            place = columns[node.field]
            none_listed = f" AND coalesce(len({place.values}), 0) = 0" if place.listed else ""
            return f"({place.value('text')} IS NULL{none_listed})"
        case Present():
            return columns[node.field].present
        case Pair():
            return _pair(node, columns[node.field], columns[node.other])
        case Compare():
            return _test(node, columns)


def _test(node: Compare, columns: Mapping[str, Columns]) -> str:
    if node.field is None:
        return f"coalesce({f'{node.form}_raw'.join(node.parts)}, false)"
    place = columns[node.field]
    single = f"coalesce({place.value(node.form).join(node.parts)}, false)"
    if not place.listed:
        return single
    one = FOLDED[node.form].format("v").join(node.parts)
    return f"({single} OR coalesce(list_bool_or(list_transform({place.values}, lambda v: {one})), false))"


def _pair(node: Pair, first: Columns, second: Columns) -> str:
    def compared(left: str, right: str) -> str:
        return f"{left} = {right}" if node.function == "=" else f"{node.function}({left}, {right})"

    if not first.listed and not second.listed:
        return f"coalesce({compared(first.value('folded'), second.value('folded'))}, false)"
    left, right = (
        f"coalesce({place.values}, [{place.value('text')}])" if place.listed else f"[{place.value('text')}]"
        for place in (first, second)
    )
    inner = f"list_bool_or(list_transform({right}, lambda w: {compared('lower(v)', 'lower(w)')}))"
    return f"coalesce(list_bool_or(list_transform({left}, lambda v: {inner})), false)"
