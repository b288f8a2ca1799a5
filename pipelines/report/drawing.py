"""A figure's place on the page."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from pipelines.report.page import island


@dataclass(frozen=True)
class Drawing:
    """A figure with its element's id, its height in pixels, and what it says in words, for those who do not see it."""

    id: str
    data: Markup
    height: int
    label: str


def drawing(name: str, figure: Any, label: str) -> Drawing:
    """A figure made ready; `name` is unique on the page."""
    return Drawing(f"figure-{name}", island(figure), int(figure.layout.height), label)
