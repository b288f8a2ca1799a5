"""What a destination of alerts is: one object for each type; dropping a file into `destinations/` adds one."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from pipelines.alerts import destinations
from pipelines.alerts.ocsf import Notice

Severity = Literal["info", "low", "medium", "high", "critical"]


class DestinationSettings(BaseModel):
    """The settings that every destination has; each type subclasses this with its own."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._-]*$")]
    type: str
    min_severity: Severity = "medium"


class Unusable(Exception):
    """A destination cannot be opened (a secret is missing, say); the text says what to do and holds no secret."""


@dataclass(frozen=True)
class Message:
    """One attempt: `id` is the same in every attempt at one revision; `attempted_at` is naive UTC."""

    id: str
    body: bytes
    attempted_at: datetime


@dataclass(frozen=True)
class Answer:
    """What came of an attempt: `failed` may be tried again, `dead` never.

    `error` says why, in text that is safe to store and to show. `retry_after` is the receiver's own wish.
    `disables`: the receiver wants nothing more at all; then `error` begins with `states.GONE`.
    """

    outcome: Literal["delivered", "failed", "dead"]
    error: str | None = None
    retry_after: timedelta | None = None
    disables: bool = False


Sender = Callable[[Message], Answer]


@dataclass(frozen=True)
class Destination:
    """A type of destination.

    `payload` turns a notice into the text that is stored in the outbox and sent as it stands; the same
    notice gives the same text. `open` takes validated settings to a sender, used for one pass of
    delivery and closed after it; it raises `Unusable`.
    """

    name: str
    settings: type[DestinationSettings]
    payload: Callable[[Notice], str]
    open: Callable[[Any], AbstractContextManager[Sender]]


@cache
def all_destinations() -> Mapping[str, Destination]:
    """Every type of destination by its name, found by looking through `destinations/`."""
    found: dict[str, Destination] = {}
    for module in pkgutil.iter_modules(destinations.__path__):
        candidate = getattr(importlib.import_module(f"{destinations.__name__}.{module.name}"), "DESTINATION", None)
        if isinstance(candidate, Destination):
            found[candidate.name] = candidate
    return found
