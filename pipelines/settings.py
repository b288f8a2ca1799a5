"""`workertrail.yaml`, validated: every mistake is named with its file and line before anything starts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from detectors import located
from detectors.located import Located, Problem, Problems
from pipelines.alerts.destination import DestinationSettings, all_destinations
from pipelines.formats import all_formats
from pipelines.formats.format import Format, Options
from pipelines.lake.configured import EngineChoice
from pipelines.lake.store import Lake

CONFIG_VARIABLE = "WORKERTRAIL_CONFIG"
"""The environment variable that tells the Dagster code location which configuration to work by."""


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class LakeSettings(_Strict):
    """Where the lake lies; both are relative to the configuration file."""

    catalog: str = "sqlite:data/lake/catalog.sqlite"
    data: str = "data/lake/files"

    @field_validator("catalog")
    @classmethod
    def _known_catalog(cls, value: str) -> str:
        if not value.startswith("sqlite:") or value == "sqlite:":
            msg = f"{value!r} is no catalog that this version opens; write sqlite:PATH"
            raise ValueError(msg)
        return value

    @field_validator("data")
    @classmethod
    def _known_data(cls, value: str) -> str:
        if "://" in value:
            msg = f"{value!r} is no place that this version stores to; write a folder's path"
            raise ValueError(msg)
        return value


class DetectorLimits(_Strict):
    """What one statement of a detector may take; one that takes more fails alone, and all others go on."""

    seconds: Annotated[int, Field(ge=1, le=86_400)] = 300
    memory: Annotated[str, Field(pattern=r"^[1-9][0-9]{0,5}(MB|GB)$")] | None = None
    spill: Annotated[str, Field(pattern=r"^[1-9][0-9]{0,5}(MB|GB)$")] = "20GB"


_MASTER = r"^(local(\[(\*|[1-9][0-9]{0,3})\])?|spark://\S+:[0-9]+(,\S+)?|yarn|k8s://\S+)$"


class SparkSettings(_Strict):
    """How `engine: spark` starts Spark: the address of its master, and further keys of Spark's own configuration."""

    master: Annotated[str, Field(pattern=_MASTER)] = "local[*]"
    conf: Mapping[Annotated[str, Field(pattern=r"^spark\.")], str] = {}


class Environment(_Strict):
    """What belongs to one environment (prod, dev)."""

    accounts: tuple[str, ...] = ()
    hosts: tuple[str, ...] = ()


Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._-]*$")]


class SourceHead(BaseModel):
    """The keys that every source has; what else it has belongs to its format."""

    model_config = ConfigDict(extra="allow", frozen=True)

    name: Name
    format: str
    from_: Annotated[str, Field(alias="from", min_length=1)]
    realm: str | None = None
    keep_secrets: bool = False


class File(_Strict):
    """The shape of workertrail.yaml; sources and alerts are read by their formats and destinations."""

    lake: LakeSettings = LakeSettings()
    engine: Literal["duckdb", "spark"] = "duckdb"
    spark: SparkSettings = SparkSettings()
    workers: str = "data/workers"
    rules: tuple[str, ...] = ()
    detectors: DetectorLimits = DetectorLimits()
    environments: Mapping[str, Environment] = {}
    sources: Annotated[tuple[Mapping[str, Any], ...], Field(min_length=1)]
    alerts: tuple[Mapping[str, Any], ...] = ()


@dataclass(frozen=True)
class Source:
    """A place that logs are pulled from: `pattern` is a glob relative to `base`."""

    name: str
    format: Format
    realm: str
    pattern: str
    base: Path
    options: Options
    keep_secrets: bool


@dataclass(frozen=True)
class Settings:
    """The whole configuration, with every path resolved."""

    file: Path
    lake: Lake
    engine: EngineChoice
    workers: Path
    rules: tuple[Path, ...]
    detectors: DetectorLimits
    environments: Mapping[str, Environment]
    sources: tuple[Source, ...]
    alerts: tuple[DestinationSettings, ...]


def load(file: Path) -> Settings:
    """Read and validate a configuration. Raises `Problems`, each with file, line and key."""
    document = located.load(file)
    config = located.validate(document, File)
    base = file.resolve().parent
    problems: list[Problem] = []
    sources = _sources(document, config, base, problems)
    alerts = _alerts(document, config, base, problems)
    problems.extend(_folder_problems(document, config, base))
    for kind, names in (("sources", [s.name for s in sources]), ("alerts", [a.name for a in alerts])):
        for index, name in enumerate(names):
            if name in names[:index]:
                problems.append(document.problem((kind, index, "name"), f"the name {name!r} is taken already"))
    if problems:
        raise Problems(problems)
    return Settings(
        file=file.resolve(),
        lake=Lake(base / config.lake.catalog.removeprefix("sqlite:"), base / config.lake.data),
        engine=EngineChoice(config.engine, config.spark.master, dict(config.spark.conf)),
        workers=base / config.workers,
        rules=tuple(base / folder for folder in config.rules),
        detectors=config.detectors,
        environments=config.environments,
        sources=sources,
        alerts=alerts,
    )


def _folder_problems(document: Located, config: File, base: Path) -> list[Problem]:
    """The folders of manifests and rules that are not there, each at the key that names it."""
    named: list[tuple[tuple[str | int, ...], str]] = [(("workers",), config.workers)]
    named += [(("rules", index), folder) for index, folder in enumerate(config.rules)]
    return [
        document.problem(path, f"the folder {base / folder} does not exist; make it or correct the path")
        for path, folder in named
        if not (base / folder).is_dir()
    ]


def _sources(document: Located, config: File, base: Path, problems: list[Problem]) -> tuple[Source, ...]:
    found: list[Source] = []
    formats = all_formats()
    for index, entry in enumerate(config.sources):
        path = ("sources", index)
        try:
            head = SourceHead.model_validate(dict(entry))
        except ValidationError as error:
            problems.extend(located.problems_of(document, error, SourceHead, path))
            continue
        log_format = formats.get(head.format)
        if log_format is None:
            known = ", ".join(sorted(formats))
            problems.append(document.problem((*path, "format"), f"no format {head.format!r}; there are: {known}"))
            continue
        problems.extend(_glob_problems(document, (*path, "from"), head.from_, base))
        rest = dict(head.model_extra or {})
        word = log_format.realm_option
        realm = rest.pop(word, None) if word else None
        try:
            options = log_format.options.model_validate(rest, context={"folder": base})
        except ValidationError as error:
            problems.extend(located.problems_of(document, error, log_format.options, path))
            continue
        except Problems as error:  # of a file that an option names
            problems.extend(error.problems)
            continue
        found.append(
            Source(
                name=head.name,
                format=log_format.of(options),
                realm=str(realm or head.realm or head.name),
                pattern=head.from_,
                base=base,
                options=options,
                keep_secrets=head.keep_secrets,
            )
        )
    return tuple(found)


def _glob_problems(document: Located, path: tuple[str | int, ...], pattern: str, base: Path) -> list[Problem]:
    if "://" in pattern:
        scheme = pattern.split("://", 1)[0]
        return [document.problem(path, f"{scheme}:// is not read by this version; write a glob of files")]
    if pattern.count("[") != pattern.count("]") or "\x00" in pattern:
        return [document.problem(path, f"{pattern!r} is no glob: a bracket is not closed")]
    fixed = Path(base, *_fixed_parts(pattern))
    if not fixed.is_dir():
        return [document.problem(path, f"the folder {fixed} does not exist; make it or correct the glob")]
    return []


def _fixed_parts(pattern: str) -> list[str]:
    """The leading folders of a glob that hold no wildcard."""
    parts = Path(pattern).parts[:-1]
    wild = next((i for i, part in enumerate(parts) if any(sign in part for sign in "*?[")), len(parts))
    return list(parts[:wild])


def _alerts(document: Located, config: File, base: Path, problems: list[Problem]) -> tuple[DestinationSettings, ...]:
    found: list[DestinationSettings] = []
    kinds = all_destinations()
    for index, entry in enumerate(config.alerts):
        path = ("alerts", index)
        kind = kinds.get(str(entry.get("type")))
        if kind is None:
            known = ", ".join(sorted(kinds))
            problems.append(
                document.problem((*path, "type"), f"no destination {entry.get('type')!r}; there are: {known}")
            )
            continue
        try:
            found.append(kind.settings.model_validate(dict(entry), context={"folder": base}))
        except ValidationError as error:
            problems.extend(located.problems_of(document, error, kind.settings, path))
    return tuple(found)
