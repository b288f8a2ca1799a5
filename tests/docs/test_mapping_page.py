"""docs/mapping.md is what a mapping is: its example is loaded, its tables are those of the model."""

from __future__ import annotations

import re
from pathlib import Path

from pipelines.formats.mapping_checks import load
from pipelines.formats.mapping_layout import Layout, Value
from tests.machine import ROOT

PAGE = (ROOT / "docs" / "mapping.md").read_text(encoding="utf-8")


def rows(below: str) -> dict[str, str]:
    """The rows of the first table below some words: key and its next cell."""
    table = PAGE.split(below)[1].split("\n\n")[1]
    return dict(re.findall(r"^\| `(\w+)` \| ([^|]*) ?\|", table, re.MULTILINE))


def test_the_example_is_valid(tmp_path: Path) -> None:
    (example,) = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
    file = tmp_path / "gateway.yaml"
    file.write_text(example, encoding="utf-8")
    layout = load(file)
    assert layout.columns["dst_host"].from_ == ("$.request.host", "$.sni")


def test_the_tables_name_every_key_and_what_is_required() -> None:
    keys = rows("or named groups of `pattern`.")
    assert set(keys) == set(Layout.model_fields)
    required = {name for name, field in Layout.model_fields.items() if field.is_required()}
    assert {name for name, default in keys.items() if default.strip() == "required"} == required
    values = rows("A value is one field")
    assert set(values) == {field.alias or name for name, field in Value.model_fields.items()}
