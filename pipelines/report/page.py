"""The page: templates filled in, figures' data and scripts inlined, and a policy that lets nothing else in.

The Content-Security-Policy names the two scripts and the style sheets by their hashes. Plotly sets style
attributes, and begins its own style sheet empty, so attributes and the empty sheet are allowed as well;
neither can be written by a log, whose text is escaped on its one way into the page (`pipelines.report.text`).
The style sheets of plotly's maps, which the report has none of, are forestalled by empty ones with their ids.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Mapping
from functools import cache
from importlib import resources
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from plotly.offline import get_plotlyjs  # type: ignore[import-untyped]

from pipelines.report.text import plural, shown, size, span

MARK = "workertrail-report"
"""The page's generator name."""


@cache
def environment() -> Environment:
    """Jinja with escaping always on, every expression through `shown`, and no silence about unknown names."""
    made = Environment(
        loader=PackageLoader("pipelines.report"),
        autoescape=True,
        finalize=shown,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters.update(size=size, span=span, plural=plural)
    return made


def render(contents: Mapping[str, Any], template: str = "report.html") -> str:
    """The whole page as text; `contents` is what the template names (`pipelines.report.contents` for the report)."""
    scripts = {"plotly": get_plotlyjs(), "own": _asset("report.js")}
    style = _asset("report.css")
    for name, script in scripts.items():
        if "</script" in script.lower() or "<!--" in script:
            msg = f"the script {name} cannot be inlined: it holds a tag"
            raise ValueError(msg)
    policy = "; ".join(
        (
            "default-src 'none'",
            f"script-src {' '.join(_hash(script) for script in scripts.values())}",
            f"style-src-elem {_hash(style)} {_hash('')}",
            "style-src-attr 'unsafe-inline'",
            "img-src data: blob:",
            "base-uri 'none'",
            "form-action 'none'",
        )
    )
    return (
        environment()
        .get_template(template)
        .render(
            **contents,
            mark=MARK,
            policy=policy,
            own_sheets=re.findall(r'document\.getElementById\("([0-9a-f]{64})"\)', scripts["plotly"]),
            style=Markup(style),
            plotly=Markup(scripts["plotly"]),
            script=Markup(scripts["own"]),
        )
    )


def island(figure: Any) -> Markup:
    """A figure's data as JSON that no parser of HTML can leave: every `<`, `>` and `&` is escaped within it."""
    text = json.dumps(figure.to_plotly_json(), sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    for sign in "<>&":
        text = text.replace(sign, f"\\u{ord(sign):04x}")
    return Markup(text)


def _asset(name: str) -> str:
    return resources.files("pipelines.report").joinpath("templates", name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    digest = hashlib.sha256(text.encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"
