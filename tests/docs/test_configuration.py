"""docs/configuration.md is what the configuration is: its example is loaded, its tables are those of the models."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from detectors.located import Problems
from pipelines.alerts.destination import all_destinations
from pipelines.alerts.destinations.webhook import WebhookSettings, parse_secrets
from pipelines.cli.dagster import HOME_VARIABLE
from pipelines.formats import all_formats
from pipelines.formats.format import Options
from pipelines.lake.store import Lake
from pipelines.pull.decompress import MAX_EXPANDED
from pipelines.pull.files import REST, find
from pipelines.settings import (
    CONFIG_VARIABLE,
    DetectorLimits,
    File,
    LakeSettings,
    Settings,
    SourceHead,
    SparkSettings,
    load,
)
from tests.machine import ROOT

PAGE = (ROOT / "docs" / "configuration.md").read_text(encoding="utf-8")
EXAMPLE = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)[0]
FOLDERS = ("data/workers", "rules", "logs/cloudtrail/2026", "logs/egress", "logs/egress2", "logs/okta")


def rows(title: str) -> dict[str, list[str]]:
    """The rows of the first table below a heading, by their first cell without its backticks."""
    below = PAGE.split(f"{title}\n", 1)[1].split("\n## ")[0]
    lines = re.findall(r"^\| `([^`]+)` \|(.*)\|$", below, re.MULTILINE)
    return {name: [cell.strip() for cell in rest.split(" | ")] for name, rest in lines}


def shown(model: type[BaseModel], prefix: str = "") -> dict[str, str]:
    """Every key of a model with its default as the page writes it; words that stand for another are left empty."""
    plain: dict[Any, str] = {None: "", (): "none", False: "`false`"}
    keys = {}
    for name, field in model.model_fields.items():
        default = "required" if field.is_required() else field.get_default(call_default_factory=True)
        default = "" if isinstance(default, BaseModel) else default
        written = default if default == "required" else plain.get(default, f"`{default}`") if default != {} else "none"
        keys[prefix + (field.alias or name)] = written
    return keys


def differing(model: type[BaseModel], table: dict[str, list[str]], prefix: str = "") -> list[str]:
    wanted = shown(model, prefix)
    return [key for key, default in wanted.items() if default and table[key][0] != default]


@pytest.fixture
def loaded(tmp_path: Path) -> Settings:
    for folder in FOLDERS:
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "workertrail.yaml").write_text(EXAMPLE, encoding="utf-8")
    return load(tmp_path / "workertrail.yaml")


def test_the_example_is_valid_and_its_paths_are_relative_to_it(loaded: Settings, tmp_path: Path) -> None:
    assert loaded.lake == Lake(tmp_path / "data/lake/catalog.sqlite", tmp_path / "data/lake/files")
    assert loaded.rules == (tmp_path / "rules",)
    assert [source.realm for source in loaded.sources] == ["trail", "egress", "egress", "corp.okta.example"]
    (siem,) = loaded.alerts
    assert isinstance(siem, WebhookSettings)
    assert siem.ca_file == str(tmp_path / "tls/siem.pem")
    for name in ("a.json", "2026/b.json.gz"):
        (tmp_path / "logs/cloudtrail" / name).touch()
    found = find(loaded.sources[0].pattern, loaded.sources[0].base)
    assert sorted(file.path.name for file in found) == ["a.json", "b.json.gz"]


def test_the_example_shows_every_key(loaded: Settings) -> None:
    for model in (File, LakeSettings, SparkSettings, DetectorLimits, WebhookSettings):
        assert [key for key in shown(model) if not re.search(rf"^[ {{-]*{key}:", EXAMPLE, re.MULTILINE)] == []
    assert {source.format.name for source in loaded.sources} <= set(all_formats())
    assert {entry.type for entry in loaded.alerts} == set(all_destinations())


def test_the_tables_name_every_key_with_its_default() -> None:
    top, source, alert = rows("# The configuration"), rows("## Sources"), rows("## Alerts")
    nested = {"lake": LakeSettings, "spark": SparkSettings, "detectors": DetectorLimits}
    for prefix, model in nested.items():
        assert differing(model, top, f"{prefix}.") == []
    own = {key: value for key, value in shown(File).items() if key not in nested}
    assert [key for key, default in own.items() if top[key][0] != default] == []
    assert set(top) == {*own, *(f"{prefix}.{key}" for prefix, model in nested.items() for key in model.model_fields)}
    assert differing(SourceHead, source) == []
    assert set(source) - set(all_formats()) == set(shown(SourceHead))
    assert differing(WebhookSettings, alert) == []
    assert set(alert) == set(WebhookSettings.model_fields)


def test_the_formats_options_are_those_of_the_formats() -> None:
    table = PAGE.split("What a format adds:")[1].split("\n## ")[0]
    told = set(re.findall(r"^\| `(\w+)` \| `(\w+)` \|", table, re.MULTILINE))
    there = {(name, key) for name, one in all_formats().items() for key in one.options.model_fields}
    there |= {(name, one.realm_option) for name, one in all_formats().items() if one.realm_option}
    assert told == there
    assert Options.model_fields == {}


def test_the_figures_are_the_codes() -> None:
    assert MAX_EXPANDED == 4 << 30
    assert REST.total_seconds() == 60
    assert "le=30" in str(WebhookSettings.model_fields["timeout"].metadata)
    assert "le=86400" in str(DetectorLimits.model_fields["seconds"].metadata)


@pytest.mark.parametrize("missing", FOLDERS[:3])
def test_a_folder_that_is_read_must_exist(missing: str, tmp_path: Path) -> None:
    for folder in FOLDERS:
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / missing).rmdir()
    (tmp_path / "workertrail.yaml").write_text(EXAMPLE.replace("cloudtrail/**/", "cloudtrail/2026/"), encoding="utf-8")
    with pytest.raises(Problems, match="does not exist"):
        load(tmp_path / "workertrail.yaml")


def test_environments_are_not_judged_by_yet() -> None:
    """When they are, the page must say how."""
    files = [file for folder in ("pipelines", "detectors") for file in (ROOT / folder).rglob("*.py")]
    assert [file.name for file in files if ".environments" in file.read_text(encoding="utf-8")] == ["settings.py"]


def test_each_command_makes_a_secret_that_is_taken() -> None:
    block = PAGE.split("```sh\n")[1].split("```")[0]
    assert len(block.splitlines()) == 2
    for command in block.splitlines():
        made = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=True).stdout
        assert len(parse_secrets(made, command)) == 1


def test_the_variables_are_those_that_are_read() -> None:
    assert {CONFIG_VARIABLE, HOME_VARIABLE} <= set(rows("## Environment variables"))
