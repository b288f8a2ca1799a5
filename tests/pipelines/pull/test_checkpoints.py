from dataclasses import replace
from datetime import datetime

from pipelines import schema
from pipelines.pull.checkpoints import Checkpoint, Checkpoints

ONE = Checkpoint(
    "egress", "file:///logs/a.log", 10, datetime(2026, 1, 1, 0, 0, 0, 5), 8, 8, "ab" * 32, datetime(2026, 1, 2)
)


def test_table_and_back() -> None:
    known = Checkpoints([ONE, replace(ONE, source="other")])
    assert known.table().schema == schema.CHECKPOINTS.arrow
    assert dict(Checkpoints.of(known.table())) == dict(known)
    assert dict(Checkpoints.of(schema.CHECKPOINTS.arrow.empty_table())) == {}


def test_of_several_for_one_file_the_last_counts() -> None:
    newer = replace(ONE, spent=10)
    assert Checkpoints([ONE, newer])["egress", ONE.object_uri] == newer
