"""The patterns of a manifest: `*` is any text, `?` one character; anchored, case-sensitive.

Tables hold them as patterns of SQL `LIKE ... ESCAPE '\\'`. DuckDB's LIKE tries every place for every star, so a text
from a log can hold it up for years (about length to the power of the stars), and it does not stop when told to.
It is quick where there is one star, or two of which one is at the end; every other pattern is matched as a regular
expression, which RE2 does in linear time. SQL that matches a pattern of a table says so by `matches_sql`.
"""

from __future__ import annotations

MANY_STARS = r"((?s)^(?:[^\\%]|\\.)*%.*%[^%])"
"""A regular expression for the LIKE patterns that LIKE is slow with: text or `?` follows the second star.

The brackets keep DuckDB from making LIKE of a regular expression, here as below.
"""


def like(glob: str) -> str:
    """The same pattern for SQL `LIKE ... ESCAPE '\\'`."""
    escaped = glob.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    while "**" in escaped:
        escaped = escaped.replace("**", "*")
    return escaped.replace("*", "%").replace("?", "_")


def matches_sql(value: str, pattern: str) -> str:
    """SQL: whether `value` matches the LIKE pattern of a glob, in time that grows as the value does."""
    slow, quick = f"regexp_matches({value}, {regular_sql(pattern)})", f"{value} LIKE {pattern} ESCAPE '\\'"
    return f"CASE WHEN regexp_matches({pattern}, '{MANY_STARS}') THEN {slow} ELSE {quick} END"


def prepared_matches_sql(value: str, table: str) -> str:
    """The same for a pattern whose `prepared_sql` columns are in `table`: where many values meet many patterns."""
    rest = f"CASE WHEN {table}.expression IS NULL THEN true ELSE regexp_matches({value}, {table}.expression) END"
    return f"CASE WHEN {value} LIKE {table}.quick ESCAPE '\\' THEN {rest} ELSE false END"


def prepared_sql(pattern: str) -> str:
    """SQL: columns of a LIKE pattern: `quick`, one that LIKE is quick with, and `expression`, null where that is all.

    RE2 compiles an expression anew for each pair, which takes 100 times as long as LIKE, so `quick` has what stands
    before the first star and after the last, and only what fits is matched by the expression.
    """
    many = f"regexp_matches({pattern}, '{MANY_STARS}')"
    head = f"regexp_extract({pattern}, '^((?s)(?:[^\\\\%]|\\\\.)*)', 1)"
    tail = f"regexp_extract({pattern}, '([^%]*)\\z', 1)"
    return (
        f"CASE WHEN {many} THEN {head} || '%' || {tail} ELSE {pattern} END AS quick,"
        f" CASE WHEN {many} THEN {regular_sql(pattern)} END AS expression"
    )


def regular_sql(pattern: str) -> str:
    """SQL: the regular expression (RE2 and Java alike) that means the same as a LIKE pattern.

    Everything but wildcards stands between `\\Q` and `\\E`. What LIKE escapes is put outside first, so that no text of
    a pattern can end the quotation.
    """
    quoted = pattern
    for sought, instead in (("\\\\", "x5c"), ("\\%", "x25"), ("\\_", "x5f")):
        quoted = f"replace({quoted}, '{sought}', '\\E\\{instead}\\Q')"
    quoted = f"replace(replace({quoted}, '%', '\\E.*\\Q'), '_', '\\E.\\Q')"
    return f"'^(?s)(\\Q' || {quoted} || '\\E)\\z'"


def is_pattern(glob: str) -> bool:
    """Whether it stands for more than one text."""
    return "*" in glob or "?" in glob


def covers(wide: str, narrow: str) -> bool:
    """Whether everything that `narrow` matches is matched by `wide`; false where that is not plain to see.

    `narrow` is read as text in which only a `*` of `wide` swallows a `*`, and only `*` or `?` a `?`.
    """
    reached = {0}
    for symbol in wide:
        if symbol == "*":
            reached = set(range(min(reached), len(narrow) + 1)) if reached else set()
        elif symbol == "?":
            reached = {at + 1 for at in reached if at < len(narrow) and narrow[at] != "*"}
        else:
            reached = {at + 1 for at in reached if at < len(narrow) and narrow[at] == symbol}
    return len(narrow) in reached


def overlaps(one: str, other: str) -> bool:
    """Whether some text is matched by both."""
    reached = {(0, 0)}
    seen: set[tuple[int, int]] = set()
    while reached:
        i, j = place = reached.pop()
        if place == (len(one), len(other)):
            return True
        if place in seen:
            continue
        seen.add(place)
        a, b = one[i : i + 1], other[j : j + 1]
        if a == "*":
            reached |= {(i + 1, j)} | ({(i, j + 1)} if b else set())
        if b == "*":
            reached |= {(i, j + 1)} | ({(i + 1, j)} if a else set())
        if a and b and a != "*" and b != "*" and (a == b or "?" in (a, b)):
            reached.add((i + 1, j + 1))
    return False
