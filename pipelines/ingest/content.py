"""Whether two records say the same: a hash of a record's content that spelling does not change."""

from __future__ import annotations

import duckdb
import pyarrow as pa

CANONICAL = pa.schema([pa.field("record_id", pa.string()), pa.field("canonical", pa.string())])


def canonical(records: pa.Table) -> pa.Table:
    """record_id and a SHA-256 of the record's content, for a table of record_id and raw.

    JSON that differs only in white space, order of keys or escapes has one hash: it is taken over the
    sorted list of leaves (path, type, value), without the marks that a lake's own key left of secrets.
    Other text is hashed as it is, and so is JSON in which a key stands twice: readers take one of the two
    by their order.
    """
    connection = duckdb.connect()
    connection.register("records", records)
    return connection.execute(
        """
        WITH nodes AS (
            SELECT r.record_id, t.parent, t.key, t.type, t.fullkey, t.atom ->> '$' AS atom,
                   t.type NOT IN ('OBJECT', 'ARRAY') OR CAST(t.value AS VARCHAR) IN ('{}', '[]') AS is_leaf
            FROM records AS r, json_tree(CASE WHEN json_valid(r.raw) THEN r.raw END) AS t
        ),
        ambiguous AS (
            SELECT DISTINCT record_id FROM nodes
            GROUP BY record_id, parent, key HAVING count(*) > 1
        ),
        hashed AS (
            SELECT record_id, sha256(string_agg(sha256(leaf), '' ORDER BY leaf)) AS canonical
            FROM (
                SELECT record_id, fullkey || ' ' || type || ' '
                       || regexp_replace(coalesce(atom, ''), 'hmac:[0-9a-f]{32}', 'hmac', 'g') AS leaf
                FROM nodes WHERE is_leaf
            )
            WHERE record_id NOT IN (SELECT record_id FROM ambiguous)
            GROUP BY record_id
        )
        SELECT record_id, coalesce(canonical, sha256(regexp_replace(raw, 'hmac:[0-9a-f]{32}', 'hmac', 'g')))
                   AS canonical
        FROM records LEFT JOIN hashed USING (record_id)
        """
    ).to_arrow_table()
