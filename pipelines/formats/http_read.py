"""Records of a proxy to actions: one query over a batch, and addresses and hosts in one spelling."""

from __future__ import annotations

import pyarrow as pa

from pipelines.formats import http_sql, one_batch
from pipelines.formats.format import action_rows


def actions(records: pa.Table, fields: str) -> pa.Table:
    """RECORDS_IN to ACTIONS_OUT; `fields` is SQL of `http_sql.FIELDS` over the table `records`."""
    with one_batch.connect() as connection:
        connection.register("records", records)
        found = connection.execute(http_sql.actions_sql(fields)).to_arrow_table()
    return action_rows(found)
