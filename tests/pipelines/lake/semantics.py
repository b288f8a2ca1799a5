"""What the SQL of `let`, `query` and detectors may call, as expressions that both engines must answer alike.

Each is evaluated for every row of `VALUES`; an aggregate over the groups of `g`; a window over `g` by `k`.
"""

from __future__ import annotations

from datetime import datetime

import pyarrow as pa
import sqlglot
from sqlglot import exp

COLUMNS = pa.schema(
    [
        ("k", pa.int64()), ("g", pa.string()), ("s", pa.string()), ("p", pa.string()), ("i", pa.int64()),
        ("j", pa.int64()), ("x", pa.float64()), ("y", pa.float64()), ("t", pa.timestamp("us")),
        ("u", pa.timestamp("us")), ("l", pa.list_(pa.string())), ("n", pa.list_(pa.int64())), ("b", pa.bool_()),
    ]
)  # fmt: skip
"""k a number of its own, g a group, s and p texts, i and j whole numbers, x and y doubles, t and u times, l and n
lists, b a truth value.
"""


def _at(text: str) -> datetime:
    return datetime.fromisoformat(text)


_NAN, _INF = float("nan"), float("inf")
_ROWS: tuple[tuple[object, ...], ...] = (
    ("a", "a/b/c", "b", 7, 2, 2.5, 0.5, _at("2026-03-02 09:00:00.123456"), _at("2026-03-02 10:59:59.999999"), ["a", None, "b"], [3, None, 1], True),
    ("a", "", "", 0, 0, 0.0, 0.0, _at("1969-12-31 23:59:59.999999"), _at("1970-01-01"), [], [], False),
    ("a", None, None, None, None, None, None, None, None, None, None, None),
    ("b", "Straße İ ΑΣ ﬁ", "ß", -7, 3, -2.5, 3.0, _at("2026-12-31 23:59:59"), _at("2027-01-01 00:00:00"), ["x", "x"], [2, 2, -5], True),
    ("b", "line\nbreak\r\n$1", "\n", 9007199254740993, -1, 1.005, 100.0, _at("2024-02-29 12:30:00"), _at("2023-02-28 12:29:59"), [None], [None], None),
    ("b", "100%_\\d[x]{2}", "%", 5, 5, _NAN, 1.0, _at("2026-03-29 01:30:00"), _at("2026-10-25 01:30:00.5"), ["é", "z", "A"], [9007199254740993], False),
    ("c", "\U0001f600 smile É", "\U0001f600", 86400, 60, _INF, 2.0, _at("2026-03-02 00:00:00"), _at("2026-03-02 00:00:00"), ["\U0001f600"], [0], True),
    ("c", "  spaced\tout\x0b ", " ", -1, -60, -_INF, -4.0, _at("2199-12-31 23:59:59.000001"), _at("1970-01-05"), ["b", "a"], [1, 2, 3], True),
    ("d", "ABC abc", "C", 3, 0, 0.15, 0.0, _at("2026-03-02 09:00:00"), None, ["c"], [5, 4], None),
)  # fmt: skip
VALUES = pa.Table.from_pylist(
    [dict(zip(COLUMNS.names, (k, *row), strict=True)) for k, row in enumerate(_ROWS)], schema=COLUMNS
)

ROW_BY_ROW: tuple[str, ...] = (
    "abs(i)", "abs(x)", "i + j", "i - j", "i / j", "x / y", "i / 3", "x / 3600.0", "i // j", "i // 60", "i % j",
    "i % 7", "-i", "ceil(x / 3)", "floor(x / 3)", "sign(i)", "sqrt(abs(i))", "pow(abs(j), 2)", "round(ln(abs(i) + 1), 9)",
    "round(x, 2)", "round(y / 3, 4)", "round(i / 8)", "greatest(i, j)", "least(i, j, 3)", "greatest(x, y)", "least(x, 1)",
    "x = y", "x < y", "x > 1000000", "i = j", "s < p", "s >= 'a'", "s = p", "s IN ('a/b/c', '')", "s NOT IN ('a', 'b')",
    "i IS DISTINCT FROM j", "s IS NOT DISTINCT FROM p", "x IS DISTINCT FROM y", "i BETWEEN 0 AND 10",
    "b AND i > 0", "b OR i > 0", "NOT b", "CASE WHEN i > j THEN 'more' WHEN i = j THEN s END", "CASE i WHEN 7 THEN 1 END",
    "if(b, i, j)", "coalesce(i, j, 0)", "coalesce(s, 'none')", "nullif(i, 0)", "nullif(s, '')",
    "CAST(i AS VARCHAR)", "CAST(b AS VARCHAR)", "CAST(t AS VARCHAR)", "CAST(CAST(t AS DATE) AS VARCHAR)",
    "CAST(t AS DATE)", "CAST(CAST(t AS DATE) AS TIMESTAMP)", "CAST(floor(i / 4) AS BIGINT)", "CAST(i AS DOUBLE)",
    "CAST(CASE WHEN y < 1000 THEN y END AS BIGINT)", "CAST(y AS BIGINT)", "CAST(i / 4 AS DECIMAL(38, 1))",
    "CAST(y / 8 AS DECIMAL(38, 2))", "CAST(i / 7 AS DECIMAL(38, 0))", "CAST(CAST(y / 8 AS DECIMAL(38, 2)) AS VARCHAR)",
    "TRY_CAST(s AS BIGINT)", "TRY_CAST(p AS TIMESTAMP)", "TRY_CAST('2026-03-02T09:00:00.5' AS TIMESTAMP)",
    "TIMESTAMP '2026-01-01 00:00:00'", "t + INTERVAL 1 DAY", "t - INTERVAL 24 HOUR", "t - to_milliseconds(j + 1000)",
    "t - u > INTERVAL 1 HOUR", "t < u", "date_diff('microsecond', t, u)", "date_diff('second', t, u)",
    "date_diff('minute', t, u)", "date_diff('hour', t, u)", "date_diff('day', t, u)", "date_diff('month', t, u)",
    "date_diff('year', t, u)",
    "date_trunc('hour', t)", "date_trunc('day', t)", "date_trunc('week', t)", "date_trunc('month', t)", "date_trunc('month', CAST(t AS DATE))",
    "strftime(t, '%Y-%m-%d')", "strftime(t, '%Y-%m-%d %H:%M')", "strftime(t, '%H:%M:%S')",
    "lower(s)", "upper(s)", "length(s)", "s || p", "concat(s, '-', p)", "concat_ws('|', s, p, 'x')", "substr(s, 2)",
    "substr(s, 2, 3)", "substr(s, -2)", "split_part(s, '/', 1)", "split_part(s, '/', 2)", "split_part(s, '/', -1)",
    "split_part(s, '/', 9)", "string_split(s, '/')", "str_split(s, '.')", "replace(s, 'b', 'BB')", "replace(s, p, '')",
    "strpos(s, p)", "instr(s, 'b')", "contains(s, p)", "starts_with(s, p)", "ends_with(s, p)", "trim(s)", "ltrim(s)",
    "rtrim(s, '/c ')", "ltrim(s, 'a1')", "trim(s, 'a ')", "lpad(s, 6, '*')", "rpad(s, 3, '0')", "hex(s)",
    "s LIKE '%b%'", "s NOT LIKE '%b%'", "s LIKE '100%'", r"s LIKE '%\d%'", r"s LIKE '100\%%' ESCAPE '\'", "s LIKE p",
    "s ILIKE 'ABC%'", "s NOT ILIKE 'a%'", "s LIKE '_/b/_'",
    "regexp_matches(s, 'b')", "regexp_matches(s, '^a.*c$')", "regexp_matches(s, 'k.$')", r"regexp_matches(s, '\s$')",
    "regexp_matches(s, 'line.break')", "regexp_matches(s, '(?s)line.break')", r"regexp_matches(s, '[^\w/ ]')",
    "regexp_matches(s, 'STRASSE|straße', 'i')", r"regexp_matches(s, '\$\d$')", "regexp_matches(s, '[[%]')",
    r"regexp_matches(s, '^(?s)(\Q' || p || '\E).*\z')", r"regexp_matches(s, '\{2\}|\[x\]')",
    "regexp_extract(s, '[a-z]+')", "regexp_extract(s, '([a-z])/([a-z])', 2)", "regexp_extract(s, '^(x)?a', 1)",
    "regexp_replace(s, '^(a)/', '[\\1]')", "regexp_replace(s, '[a-c]', '$', 'g')", r"regexp_replace(s, 'b|\d', '\0\0', 'g')",
    "[i, j]", "[s]", "CAST([] AS VARCHAR[])", "array_length(l)", "list_contains(l, 'b')", "list_contains(l, s)",
    "list_contains(l, NULL)", "list_concat(n, [i])", "list_concat(n, CAST([] AS BIGINT[]))", "list_slice(n, 1, 2)",
    "list_slice(n, 2, 64)", "list_position(l, 'b')", "list_position(n, 2)", "l[1]", "l[2]", "n[-1]", "n[9]",
    "list_sort(l)", "list_sort(n)", "list_sort(list_distinct(l))", "list_max(n)", "list_min(l)",
    "array_to_string(l, ', ')", "list_transform(n, e -> e + 1)", "list_filter(l, e -> e IS NOT NULL AND e <> 'a')",
    "list_transform(l, e -> {'item': e, 'length': length(e)})", "{'from': s, 'to': p, 'n': i}", "{'a': i}.a",
    "{'from': s, 'n': i} = {'from': s, 'n': i}",
    "sha256(s)", "sha1(s)", "sha1(unhex('00ff') || encode(s))", "xor(i, 5)", "md5(s)",
    "s IS NULL", "EXISTS (SELECT 1 FROM other AS o WHERE o.k = v.k AND o.b)",
)  # fmt: skip

BY_GROUP: tuple[str, ...] = (
    "count(*)", "count(i)", "count(DISTINCT i)", "count(*) FILTER (WHERE b)", "sum(i % 1000)", "sum(y)",
    "sum(j) FILTER (WHERE j > 0)", "min(s)", "max(s)", "min(t)", "max(t)", "min(x)", "max(x)", "avg(j)", "stddev(j)",
    "bool_or(b)", "bool_and(b)", "list_sort(list(s))", "list_sort(list(DISTINCT p))",
    "list_sort(list(s) FILTER (WHERE i > 0))", "array_length(list(i))", "list_sort(array_agg(DISTINCT j))",
    "list_transform(list_sort(list({'place': k, 'item': s})), e -> e.item)", "count(DISTINCT s) = 1 AND NOT bool_or(b)",
)  # fmt: skip

BY_WINDOW: tuple[str, ...] = (
    "row_number() OVER (PARTITION BY g ORDER BY i, k)", "row_number() OVER (PARTITION BY g ORDER BY i DESC, k)",
    "row_number() OVER (ORDER BY s, k)", "rank() OVER (ORDER BY b, g)", "dense_rank() OVER (ORDER BY j DESC)",
    "lag(i) OVER (PARTITION BY g ORDER BY k)", "lead(s) OVER (PARTITION BY g ORDER BY k)",
    "first_value(s) OVER (PARTITION BY g ORDER BY k)", "last_value(s) OVER (PARTITION BY g ORDER BY k)",
    "sum(j) OVER (PARTITION BY g ORDER BY k ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW)",
    "max(t) OVER (PARTITION BY g ORDER BY k ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING)",
    "count(*) OVER (PARTITION BY g)", "min(x) OVER (PARTITION BY g)",
    "count(*) OVER (PARTITION BY g ORDER BY k RANGE BETWEEN 2 PRECEDING AND CURRENT ROW)",
    "lead(i) OVER own - i", "count(*) OVER (own)",
)  # fmt: skip

STATEMENTS: tuple[str, ...] = (
    "SELECT k, unnest(l) AS item FROM v",
    "SELECT v.k, u.item FROM v, unnest(v.l) AS u(item)",
    "SELECT k, unnest(list_filter(n, e -> e > 0)) AS item FROM v WHERE k < 6",
    "SELECT v.k, o.s FROM v LEFT JOIN other AS o ON o.i = v.i AND o.k < v.k",
    "SELECT k FROM v WHERE i NOT IN (SELECT j FROM other WHERE j IS NOT NULL)",
    "SELECT k FROM v WHERE s IN (SELECT s FROM other)",
    "SELECT i, s FROM v EXCEPT SELECT i, s FROM other WHERE k > 3",
    "SELECT s FROM v UNION SELECT p FROM other",
    "SELECT g, k FROM v QUALIFY row_number() OVER (PARTITION BY g ORDER BY t DESC, k) = 1",
    "SELECT g, count(*) AS n FROM v GROUP BY g HAVING count(DISTINCT s) > 1",
    "WITH o(k, w) AS (SELECT k, s FROM v) SELECT a.k, b.w FROM o AS a JOIN o AS b ON a.w = b.w",
    "WITH v AS (SELECT * FROM v WHERE k > 2), w AS (SELECT k FROM v) SELECT v.k FROM v JOIN w ON v.k = w.k",
    "SELECT a.k FROM v AS a ANTI JOIN other AS o ON o.s = a.p",
    "SELECT (SELECT max(k) FROM other) AS most, count(*) AS n FROM v WHERE false",
    "SELECT * FROM (VALUES (1, 'a'), (2, NULL)) AS t(n, w)",
    "SELECT DISTINCT g, b FROM v",
    "SELECT k FROM v ORDER BY x, k LIMIT 4",
)


def functions(sql: str) -> frozenset[str]:
    """The functions that a text calls, as sqlglot names them (its own name where it knows none)."""
    tree = sqlglot.parse_one(sql, read="duckdb")
    return frozenset(
        node.name.lower() if isinstance(node, exp.Anonymous) else node.sql_name() for node in tree.find_all(exp.Func)
    )


def covered() -> frozenset[str]:
    """The functions that the expressions above call."""
    texts = [*(f"SELECT {one}" for one in (*ROW_BY_ROW, *BY_GROUP, *BY_WINDOW)), *STATEMENTS]
    return frozenset().union(*map(functions, texts))
