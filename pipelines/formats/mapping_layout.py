"""A mapping: the YAML file that says which field of an unknown log is which column. `mapping_checks` loads one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from pipelines import schema
from pipelines.formats.format import Category

KEPT = frozenset(
    {
        "record_id", "outcome", "reason", "native_id", "time", "time_kind", "time_precision", "category", "bytes_out",
        "bytes_in", "identity_strength", "delegator_strength", "twin_uid", "twin_rank", "request_cut", "action_uid",
        "event_uid", "deed_uid", "is_primary", "source", "format", "ingested_at", "content_sha256", "flag",
    }
)  # fmt: skip
"""Columns that `columns` cannot name: the mapping's other keys, or the product itself, fill them."""

COLUMNS = tuple(name for name in schema.ACTIONS.columns if name not in KEPT)
WORDS = {
    "status": ("success", "failure", "denied", "unknown"),
    "obtains": ("self", "other"),
    "supervised": ("attended", "unattended"),
}
"""Columns that hold nothing but these words."""


def _text(value: Any) -> Any:
    """Numbers may stand where text is meant: a status code, a port."""
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else value


def _listed(value: Any) -> Any:
    return (value,) if isinstance(value, str) else value


Text = Annotated[str, BeforeValidator(_text)]
Texts = Annotated[tuple[Text, ...], BeforeValidator(_listed)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Value(_Strict):
    """What a column holds: the first of the fields `from` that says something, or the constant `value`.

    `values` turns a log's word into ours, `otherwise` is for every other word. `identity` writes a name as an
    identifier: `proxy:user/{realm}/{}`. `http`: the field is an HTTP status code. `strength` is that of a delegator.
    """

    from_: Texts = Field(alias="from", default=())
    value: Text | None = None
    values: Mapping[str, Text] = {}
    otherwise: Text | None = None
    identity: str | None = None
    http: bool = False
    strength: Literal["proven", "asserted"] = "asserted"

    @model_validator(mode="before")
    @classmethod
    def _short(cls, given: Any) -> Any:
        return {"from": given} if isinstance(given, str | list) else given


class Id(_Strict):
    """The field that names the event, and where no other event has the same."""

    from_: str = Field(alias="from")
    scope: Literal["world", "realm"] = "realm"

    @model_validator(mode="before")
    @classmethod
    def _short(cls, given: Any) -> Any:
        return {"from": given} if isinstance(given, str) else given


class Time(_Strict):
    """When it happened. `format`: iso8601, unix, unix_ms, unix_us, unix_ns, or a strptime line.

    `zone` is that of times that name none; without it such a time is an error. `is` says what the time is of.
    """

    from_: Texts = Field(alias="from", min_length=1)
    format: str = "iso8601"
    zone: str | None = None
    is_: Literal["start", "end", "logged"] = Field(alias="is", default="logged")


class Bytes(_Strict):
    """Sizes as the log names them: `seen_by: server` sent what the worker received."""

    sent: str | None = None
    received: str | None = None
    seen_by: Literal["caller", "server"]


class Csv(_Strict):
    """The columns of a line in their order. A line that holds just these names is the header, and skipped."""

    columns: Annotated[tuple[str, ...], Field(min_length=1, max_length=200)]
    delimiter: Annotated[str, Field(min_length=1, max_length=1)] = ","


class Condition(_Strict):
    """Whether the field holds one of these texts."""

    field: str
    is_: Texts = Field(alias="is", min_length=1)


class Skip(Condition):
    """Records that tell of no action."""

    reason: Annotated[str, Field(min_length=1, max_length=200)]


class Grant(_Strict):
    """What a record that did not fail proves about credentials: `parent` gave rise to `child`, or `child` ended."""

    where: tuple[Condition, ...] = ()
    kind: Literal["issue", "revoke"] = "issue"
    mechanism: Text
    parent: Value | None = None
    child: Value
    delegator: Value | None = None
    expires: Time | None = None
    strength: Literal["proven", "asserted"] = "asserted"


class Secrets(_Strict):
    """Where this log writes secrets: members of its JSON by their names, and patterns whose first group is one."""

    keys: tuple[str, ...] = ()
    patterns: tuple[str, ...] = ()


class Layout(_Strict):
    """The whole file. Fields are JSON paths (`$.user.name`), columns of a CSV line, or groups of the pattern."""

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_]{0,40}$")]
    category: Category
    read: Literal["json", "csv", "pattern"] = "json"
    records: tuple[str, ...] = ()
    csv: Csv | None = None
    pattern: str | None = None
    nulls: tuple[Text, ...] = ("", "-")
    authenticated: bool = False
    id: Id | None = None
    time: Time
    url: str | None = None
    bytes: Bytes | None = None
    columns: Mapping[str, Value] = {}
    skip: tuple[Skip, ...] = ()
    grants: tuple[Grant, ...] = ()
    secrets: Secrets = Secrets()

    def fields(self) -> list[str]:
        """Every field that is read, each once, in the order of the file."""
        return list(dict.fromkeys(use.field for use in uses(self)))


@dataclass(frozen=True)
class Use:
    """A field that the mapping reads, and where the file says so."""

    at: tuple[str | int, ...]
    field: str


def uses(layout: Layout) -> Iterator[Use]:
    """Every field that is read, with the key path that names it."""
    if layout.id:
        yield Use(("id", "from"), layout.id.from_)
    yield from _of_time(layout.time, ("time",))
    if layout.url:
        yield Use(("url",), layout.url)
    for side in ("sent", "received"):
        if layout.bytes and (field := getattr(layout.bytes, side)):
            yield Use(("bytes", side), field)
    for name, value in layout.columns.items():
        yield from _of_value(value, ("columns", name))
    for at, skip in enumerate(layout.skip):
        yield Use(("skip", at, "field"), skip.field)
    for at, grant in enumerate(layout.grants):
        for number, condition in enumerate(grant.where):
            yield Use(("grants", at, "where", number, "field"), condition.field)
        for side in ("parent", "child", "delegator"):
            if (value := getattr(grant, side)) is not None:
                yield from _of_value(value, ("grants", at, side))
        if grant.expires:
            yield from _of_time(grant.expires, ("grants", at, "expires"))


def _of_value(value: Value, at: tuple[str | int, ...]) -> Iterator[Use]:
    for number, field in enumerate(value.from_):
        yield Use((*at, "from", number), field)


def _of_time(time: Time, at: tuple[str | int, ...]) -> Iterator[Use]:
    for number, field in enumerate(time.from_):
        yield Use((*at, "from", number), field)
