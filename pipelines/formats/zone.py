"""Time zones that settings name."""

from __future__ import annotations

from typing import Annotated
from zoneinfo import ZoneInfo

from pydantic import AfterValidator


def is_zone(name: str) -> bool:
    """Whether this is an IANA name of a time zone."""
    try:
        ZoneInfo(name)
    except (KeyError, OSError, ValueError):
        return False
    return True


def _known(name: str) -> str:
    if not is_zone(name):
        raise ValueError(f"{name} is no time zone; write an IANA name such as Europe/Berlin")
    return name


Zone = Annotated[str, AfterValidator(_known)]
"""The setting of a source whose log writes local times."""
