"""Lines of proxies whose operators choose what a line holds: a specification becomes one RE2 pattern.

What a value can be, and so where it ends, depends on what the proxy does with quotes and spaces in it; each format
says so by the `Value`s that it makes. Where the end of a value is not marked, a caller may write into it what looks
like the rest of the line. A specification with such values has several patterns: a strict one for lines in which
nothing of the kind stands, one for lines in which only quoted values hold it, and one for all. Of lines that are not
strictly as they should be no identity is proven.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from pipelines.formats import http_sql

LONGEST = 4000
"""Characters of a specification that are read."""


@dataclass(frozen=True)
class Value:
    """A value of a line: `code` is what the specification calls it, `shape` the RE2 pattern that it matches.

    `strict` is its pattern where the caller wrote nothing odd into it, if it differs; `quoted` says that it stands
    between quotes. `read` turns the SQL of the matched text into that of the value.
    """

    code: str
    shape: str
    strict: str | None = None
    read: Callable[[str], str] = http_sql.known
    quoted: bool = False


@dataclass(frozen=True)
class Line:
    """A compiled specification: literals (patterns) and values in order; `head` is what may stand before a line."""

    text: str
    parts: tuple[str | Value, ...]
    head: str = ""

    @property
    def values(self) -> tuple[Value, ...]:
        return tuple(part for part in self.parts if isinstance(part, Value))

    @property
    def patterns(self) -> tuple[str, ...]:
        """The patterns to try, the strict one first; group 1 is the whole record, then one group a value."""
        bodies = dict.fromkeys(
            "".join(f"({shape(part)})" if isinstance(part, Value) else part for part in self.parts)
            for shape in (_strict, _between, _loose)
        )
        return tuple(rf"(?s)^{self.head}({body})\s*$" for body in bodies)

    def sql(self, *codes: str) -> str:
        """SQL of the first of these values that is not null, over the columns that `fields_sql` makes of a match."""
        found = [f"v{at}" for code in codes for at, value in enumerate(self.values) if value.code == code]
        return f"coalesce({', '.join(found)})" if found else "CAST(NULL AS VARCHAR)"

    def has(self, *codes: str) -> bool:
        return any(value.code in codes for value in self.values)


def _strict(value: Value) -> str:
    return value.strict or value.shape


def _between(value: Value) -> str:
    return value.shape if value.quoted else _strict(value)


def _loose(value: Value) -> str:
    return value.shape


def literal(text: str) -> list[str]:
    """The pattern of a literal: any stretch of space matches any other."""
    return [r"\s+" if piece.isspace() else re.escape(piece) for piece in re.split(r"(\s+)", text) if piece]


def fields_sql(
    lines: Iterable[Line],
    columns: Callable[[Line, bool], Mapping[str, str]],
    unread: Mapping[str, str],
    source: str = "records",
) -> str:
    """SELECT of http_sql.FIELDS, a row a record of `source` (record_id, realm, raw).

    A record is read by the first pattern that matches it. `columns` gives the SQL of a line's fields (by `Line.sql`),
    and is told whether the pattern was the strict one; `unread` is for a record that none matches.
    """
    steps = [(line, pattern, at == 0) for line in lines for at, pattern in enumerate(line.patterns)]
    parts, rest = [], source
    ctes = []
    for at, (line, pattern, strict) in enumerate(steps):
        groups = ", ".join(["'whole'", *(f"'g{n}'" for n in range(len(line.values)))])
        sql = pattern.replace("'", "''")
        ctes.append(
            f"tried{at} AS (SELECT record_id, realm, raw, regexp_extract(coalesce(raw, ''), '{sql}', [{groups}]) AS m"
            f" FROM {rest})"
        )
        values = "".join(f", {value.read(f'm.g{n}')} AS v{n}" for n, value in enumerate(line.values))
        ctes.append(f"read{at} AS (SELECT record_id, realm{values} FROM tried{at} WHERE m.whole <> '')")
        parts.append(http_sql.select(columns(line, strict), f"read{at}"))
        rest = f"(SELECT record_id, realm, raw FROM tried{at} WHERE m.whole = '')"
    parts.append(http_sql.select(unread, rest))
    return f"WITH {', '.join(ctes)} {' UNION ALL '.join(parts)}"


def check(text: str, what: str) -> str:
    """A specification as it was pasted, on one line; ValueError where it is none."""
    line = " ".join(text.split("\n")).strip()
    if not line or not line.replace("\t", " ").isprintable():
        raise ValueError(f"the {what} is empty or has control characters; write the specification on one line")
    if len(line) > LONGEST:
        raise ValueError(f"the {what} is {len(line)} characters long; at most {LONGEST} can be read")
    return line
