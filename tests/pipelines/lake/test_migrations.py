"""A lake of the first schema version is brought to the current one by the next run, and nothing of it is lost."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipelines import schema
from pipelines.lake import migrations
from pipelines.lake.migrations import SchemaError
from pipelines.run import unaccounted
from pipelines.settings import load
from tests.end_to_end.small import Estate, assume, event, squid_line

SINCE_THE_FIRST = {
    "objects": ["object_uid"],
    "records": ["object_uid"],
    "actions": ["delegator_strength"],
    "grants": ["delegator_strength"],
    "manifests": ["recorded_at"],
}


def as_of_the_first_version(estate: Estate) -> None:
    with load(estate.config).lake.maintaining() as connection:
        for table, columns in SINCE_THE_FIRST.items():
            for column in columns:
                connection.execute(f'ALTER TABLE lake."{table}" DROP COLUMN "{column}"')
        connection.execute("DELETE FROM lake.schema_version WHERE version > 1")


def test_an_old_lake_is_brought_up_to_date_by_the_next_run(tmp_path: Path) -> None:
    estate = Estate(tmp_path)
    estate.put("trail", [event(second=1), assume("ASIANEXT", second=2)])
    estate.put("egress", squid_line(), "egress.log")
    estate.run()
    before = estate.rows("SELECT action_uid, worker, strength FROM attributions ORDER BY action_uid")
    as_of_the_first_version(estate)
    estate.put("trail", [event(second=3)])
    estate.run()
    lake = load(estate.config).lake
    with lake.reading() as connection:
        assert migrations.version(connection) == schema.VERSION
    after = estate.rows("SELECT action_uid, worker, strength FROM attributions ORDER BY action_uid")
    assert [row for row in after if row in before] == before
    assert len(after) == len(before) + 1
    assert unaccounted(lake) == []
    joined = estate.rows("SELECT count(*) AS n FROM records AS r JOIN objects AS o ON o.object_uid = r.object_uid")
    assert joined == estate.rows("SELECT count(*) AS n FROM records")


def test_a_lake_from_the_future_is_left_alone(tmp_path: Path) -> None:
    estate = Estate(tmp_path)
    estate.put("trail", [event()])
    estate.pull()
    lake = load(estate.config).lake
    with lake.writing() as writer:
        writer.connection.execute(
            "INSERT INTO lake.schema_version VALUES (?, TIMESTAMP '2030-01-01')", [schema.VERSION + 1]
        )
    with pytest.raises(SchemaError, match="install a newer one"), lake.writing():
        pass
