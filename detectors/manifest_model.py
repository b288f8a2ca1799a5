"""A worker's manifest as data: what the design's section 7 lets one write, and nothing else."""

from __future__ import annotations

import hashlib
import json
from datetime import datetime
from functools import cached_property
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PrivateAttr,
    StrictBool,
    ValidationInfo,
    field_validator,
    model_validator,
)

from detectors.manifest_values import (
    Glob,
    Host,
    Hours,
    IdentityText,
    Moment,
    Network,
    Port,
    PrincipalGlob,
    Seconds,
    Text,
    WorkerName,
    amount,
    end_of,
    seconds,
    size,
    start_of,
)

Kind = Literal["api", "net", "model", "tool"]
Effect = Literal["allow", "deny"]

DIMENSIONS: dict[Kind, tuple[str, ...]] = {
    "api": ("service", "operations", "resources", "accounts", "regions"),
    "net": ("hosts", "ports", "methods", "paths"),
    "model": ("models", "providers"),
    "tool": ("servers", "tools"),
}
"""What a scope line of each kind may state; a dimension that it does not state is open."""

MEASURES = (
    "calls", "denied", "bytes_out_net", "bytes_out_store", "bytes_out", "destinations", "secrets",
    "token_lifetime", "hops", "tokens", "spend",
)  # fmt: skip
WINDOWLESS = frozenset({"token_lifetime", "hops"})
"""Measures of one credential or chain, which have no window."""


class Strict(BaseModel):
    """A part of a manifest: unknown keys are errors, and nothing changes once it is read."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_by_name=True, validate_by_alias=True)


class Target(Strict):
    """What a scope line or an approval speaks of; all its keys are of one kind."""

    service: Glob | None = None
    operations: tuple[Glob, ...] | None = None
    resources: tuple[Glob, ...] | None = None
    accounts: tuple[Glob, ...] | None = None
    regions: tuple[Glob, ...] | None = None
    hosts: tuple[Host, ...] | None = None
    ports: tuple[Port, ...] | None = None
    methods: tuple[Glob, ...] | None = None
    paths: tuple[Glob, ...] | None = None
    models: tuple[Glob, ...] | None = None
    providers: tuple[Glob, ...] | None = None
    servers: tuple[Glob, ...] | None = None
    tools: tuple[Glob, ...] | None = None

    @model_validator(mode="after")
    def _of_one_kind(self) -> Target:
        stated = {kind: [name for name in names if self.stated(name) is not None] for kind, names in DIMENSIONS.items()}
        used = [f"{kind} ({', '.join(names)})" for kind, names in stated.items() if names]
        if not used:
            raise ValueError("states nothing; name a service, hosts, models, servers or tools")
        if len(used) > 1:
            raise ValueError(f"mixes {' and '.join(used)}; write one line for each kind")
        return self

    def stated(self, dimension: str) -> tuple[str, ...] | None:
        """The globs of one dimension; null where the line does not state it."""
        value = getattr(self, dimension)
        return (value,) if isinstance(value, str) else value

    @property
    def kind(self) -> Kind:
        return next(kind for kind, names in DIMENSIONS.items() if any(self.stated(name) is not None for name in names))

    @property
    def dimensions(self) -> dict[str, tuple[str, ...]]:
        """The stated dimensions, in the design's order."""
        named = {name: self.stated(name) for name in DIMENSIONS[self.kind]}
        return {name: globs for name, globs in named.items() if globs is not None}


class ScopeLine(Strict):
    """One line of a scope: `allow` or `deny`."""

    allow: Target | None = None
    deny: Target | None = None

    @model_validator(mode="after")
    def _of_one_effect(self) -> ScopeLine:
        if (self.allow is None) == (self.deny is None):
            raise ValueError("a scope line is either `allow: {...}` or `deny: {...}`")
        return self

    @property
    def effect(self) -> Effect:
        return "deny" if self.allow is None else "allow"

    @property
    def target(self) -> Target:
        target = self.allow or self.deny
        assert target is not None
        return target


class Identity(Strict):
    """What a worker is known as; a shared identity stands for several workers."""

    id: IdentityText
    shared: StrictBool = False


def _identity(value: Any) -> Any:
    return {"id": value} if isinstance(value, str) else value


class Provenance(Strict):
    """Where a worker's code comes from."""

    repo: Text | None = None
    workflow: Text | None = None


class Limit(Strict):
    """At most so much of a measure: bytes, seconds or a count; `per` is the window in seconds."""

    measure: Literal[MEASURES]  # type: ignore[valid-type]
    at_most: int | float
    per: Seconds | None = None

    @field_validator("at_most", mode="before")
    @classmethod
    def _in_base_units(cls, value: Any, info: ValidationInfo) -> int | float:
        measure = str(info.data.get("measure", ""))
        if measure.startswith("bytes_"):
            return size(value)
        if measure == "token_lifetime" and isinstance(value, str):
            return seconds(value)
        return amount(value)

    @model_validator(mode="after")
    def _windowed(self) -> Limit:
        if self.measure in WINDOWLESS and self.per is not None:
            raise ValueError(f"{self.measure} is no sum over a window; leave out `per`")
        if self.measure not in WINDOWLESS and not self.per:
            raise ValueError(f"{self.measure} needs a window, such as `per: 1h`")
        return self


class Approval(Strict):
    """Actions that somebody has to approve beforehand."""

    actions: Target = Field(alias="for")
    approvers: tuple[PrincipalGlob, ...] = Field(alias="from", min_length=1)
    within: Seconds


class Valid(Strict):
    """When the worker may act at all: `from` and `until` are inclusive, in UTC."""

    first: Moment | None = Field(default=None, alias="from")
    until: Moment | None = None
    revoked_at: Moment | None = None

    @model_validator(mode="after")
    def _in_order(self) -> Valid:
        if self.live_from and self.live_until and self.live_from >= self.live_until:
            raise ValueError("`from` is later than `until`")
        return self

    @property
    def live_from(self) -> datetime | None:
        return start_of(self.first) if self.first else None

    @property
    def live_until(self) -> datetime | None:
        """The first instant at which it is over."""
        return end_of(self.until) if self.until else None

    @property
    def revoked(self) -> datetime | None:
        return start_of(self.revoked_at) if self.revoked_at else None


class Manifest(Strict):
    """A worker's declared authority."""

    worker: WorkerName
    owner: Text
    purpose: Text | None = None
    role: Text | None = None
    mode: Literal["own", "delegated"] = "own"
    environment: Text | None = None
    identities: tuple[Annotated[Identity, BeforeValidator(_identity)], ...]
    provenance: Provenance | None = None
    instantiators: tuple[PrincipalGlob, ...] = ()
    may_start: tuple[WorkerName, ...] = ()
    delegators: tuple[PrincipalGlob, ...] = ()
    scope: tuple[ScopeLine, ...]
    secrets: tuple[Glob, ...] = ()
    networks: tuple[Network, ...] = ()
    limits: tuple[Limit, ...] = ()
    approvals: tuple[Approval, ...] = ()
    schedule: tuple[Hours, ...] = ()
    valid: Valid = Valid()
    effective_from: Moment | None = None

    _file: str = PrivateAttr(default="")
    _lines: dict[str, list[int]] = PrivateAttr(default_factory=dict)

    def placed(self, file: str, lines: dict[str, list[int]]) -> Manifest:
        """The same manifest, knowing its file and, by key, the line of each entry that findings point at."""
        self._file, self._lines = file, lines
        return self

    @property
    def file(self) -> str:
        return self._file

    @property
    def lines(self) -> dict[str, list[int]]:
        """By key: the line of each entry of that list."""
        return self._lines

    def line(self, key: str, position: int) -> int | None:
        """The line of an entry of `scope`, `limits` or `secrets`; null where the manifest was not read from a file."""
        lines = self._lines.get(key, [])
        return lines[position] if position < len(lines) else None

    @cached_property
    def document(self) -> str:
        """Canonical JSON: what equals a default is left out, keys are sorted, units are base units."""
        plain = self.model_dump(mode="json", by_alias=True, exclude_defaults=True)
        return json.dumps(plain, sort_keys=True, separators=(",", ":"), ensure_ascii=False)

    @cached_property
    def sha256(self) -> str:
        """The version's name: SHA-256 (hex) of the document; comments, order of keys and files do not change it."""
        return hashlib.sha256(self.document.encode()).hexdigest()
