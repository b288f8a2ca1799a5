"""Paths as a server sees them, since a path can be spelled in many ways.

The *plain* form is the design's: decoded once, dot segments removed (RFC 3986, 5.2.4), the query dropped. The
*loose* form is what lenient servers make of the same text besides: a backslash is a slash (IIS and the WHATWG URL
standard), `;parameters` of a segment are dropped (Tomcat, Jetty, Spring), repeated slashes are one (nginx, Apache).

An allow line needs the plain form. A deny line fires on either form, and on the loose one without a slash at its
end (most routers take `/admin/` for `/admin`): who denies `/admin` means `//admin`, `/x;/../admin` and `/\admin` too.
A path that *climbs* has `..` as a segment in its loose form alone, such as `/api/..;/admin`: an allow line needs both
forms of it. What is encoded twice stays encoded once: a server that decodes twice is taken to be the exception.
"""

from __future__ import annotations

import duckdb
import pyarrow as pa

_COLUMNS: dict[str, pa.DataType] = {
    "crooked": pa.string(),
    "path": pa.string(),
    "loose": pa.string(),
    "climbs": pa.bool_(),
}
STRAIGHT = pa.schema(_COLUMNS)
"""`path` is the plain form; `loose` is empty where it says nothing that the plain form does not."""


def crooked_sql(item: str) -> str:
    """SQL: whether a path may have another form than the one it is written in."""
    odd = " OR ".join(f"strpos({item}, '{text}') > 0" for text in ("%", "/.", "//", "\\", ";"))
    return f"({odd} OR ({item} <> '/' AND ends_with({item}, '/')))"


def straighten(paths: pa.Table) -> pa.Table:
    """Of each `crooked` path its forms (STRAIGHT).

    Where some escapes of a path are no UTF-8, only those of plain (ASCII) characters are decoded.
    """
    with duckdb.connect() as connection:
        connection.register("paths", paths)
        return connection.execute(_STRAIGHTEN).to_arrow_table().cast(STRAIGHT)


_STRAIGHTEN = r"""
WITH decoded AS (
    SELECT crooked, coalesce(
        try(url_decode(crooked)),
        url_decode(regexp_replace(crooked, '%([89A-Fa-f][0-9A-Fa-f])', '%25\1', 'g'))
    ) AS path
    FROM paths
),
forms AS (
    SELECT crooked, 'plain' AS form, path AS written FROM decoded
    UNION ALL
    SELECT crooked, 'loose', regexp_replace(regexp_replace(replace(path, '\', '/'), ';[^/]*', '', 'g'), '/+', '/', 'g')
    FROM decoded
),
segments AS (
    SELECT crooked, form, written, list_transform(
        string_split(
            CASE WHEN ends_with(written, '/.') OR ends_with(written, '/..') THEN written || '/' ELSE written END, '/'),
        lambda segment: [segment]
    ) AS parts
    FROM forms
),
straight AS (
    SELECT crooked, form, CASE WHEN NOT contains(written, '/.') THEN written ELSE array_to_string(list_reduce(parts,
        lambda kept, part: CASE
            WHEN part[1] = '.' THEN kept
            WHEN part[1] = '..' THEN CASE WHEN len(kept) > 1 THEN kept[:-2] ELSE kept END
            ELSE list_concat(kept, part)
        END), '/') END AS path
    FROM segments
),
pairs AS (
    SELECT crooked, max(path) FILTER (form = 'plain') AS path, max(path) FILTER (form = 'loose') AS loose
    FROM straight GROUP BY crooked
)
SELECT crooked, path, CASE WHEN loose <> path OR (path <> '/' AND ends_with(path, '/')) THEN loose ELSE '' END AS loose,
    loose <> path AND regexp_matches(path, '(^|[/\\])[.][.](;[^/\\]*)?([/\\]|$)') AS climbs
FROM pairs
"""
