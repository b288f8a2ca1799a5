"""Findings and chains drawn as lines of text; every value is made printable first."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rich.text import Text

from detectors import sizes
from detectors.findings import printable
from pipelines.cli.context import instant

Row = Mapping[str, Any]

COLOURS = {"critical": "bold red", "high": "red", "medium": "yellow", "low": "cyan", "info": "dim"}
STRENGTHS = {"proven": "green", "asserted": "yellow", "inferred": "magenta", "ambiguous": "red", "none": "red"}
MEANINGS = {
    "proven": "every hop is asserted by the system that issued the credential",
    "asserted": "some hop rests on a name that the caller could choose",
    "inferred": "joined by what it looks like, not by an identifier",
    "ambiguous": "several workers fit",
    "none": "nobody fits",
}

_BYTES_KEY = re.compile(r"^bytes(_|$)|_bytes$")
"""Keys of sizes: `bytes_out`, `at_most_bytes`; a count of what has bytes is none."""

RAW_SHOWN = 5
"""Under so many pieces of evidence the raw record stands: enough to see what fired, and still one screen or two."""

RAW_LENGTH = 400
"""Characters of a raw record that are shown."""


def finding(
    row: Row, who: Row | None, chain_row: Row | None, sent_by: str | None = None, review: Row | None = None
) -> Iterator[Text]:
    """What a finding's first screen must answer: what, who, through what, since when, and what is expected.

    `sent_by` is the evidence of the delegator, `review` the latest row of `reviews` about the finding.
    """
    yield Text.assemble((row["severity"].upper(), COLOURS[row["severity"]]), "  ", (printable(row["title"]), "bold"))
    yield _field("finding", f"{row['finding_uid']}  revision {row['revision']}, {row['status']}")
    if review is not None:
        yield _field("", decision(review))
    yield _field("detector", f"{row['detector']} {row['detector_version']}")
    yield _field("worker", row["worker"] or "nobody is attributed")
    if who is not None:
        claim = f"{who['strength']}, confidence {who['confidence']:.2f}: {MEANINGS[who['strength']]}"
        yield _field("attribution", claim + (f" ({who['reason']})" if who["reason"] else ""))
        if who["delegator"]:
            yield _field("on behalf of", f"{who['delegator']} ({who['delegator_strength']})")
            if sent_by:
                yield _field("", f"by {sent_by}")
    yield _field("principal", row["principal"] or "-")
    yield _field("entity", row["entity"] or "-")
    yield _field("when", f"{instant(row['window_start'])} to {instant(row['window_end'])}")
    yield _field("tags", ", ".join(row["tags"] or []))
    yield from _explained(row["explanation"])
    if who is not None:
        yield Text("who, hop by hop", style="bold")
        yield from path(who["path"] or [], who["worker"])
    if chain_row is not None:
        size = f"{chain_row['actions']:,} {'action' if chain_row['actions'] == 1 else 'actions'}"
        yield _field("chain", f"{chain_row['chain_id']}  {size}, {chain_row['strength']}")
        yield _field("", "(a chain is as strong as the weakest of its actions; the attribution is this one's)")


def _explained(text: str | None) -> Iterator[Text]:
    if not text:
        return
    yield Text("why", style="bold")
    parts = {key: value for key, value in json.loads(text).items() if value not in (None, [], {})}
    width = max(map(len, parts), default=0)
    for key, value in parts.items():
        for place, line in enumerate(_lines(key, value)):
            yield _field(f"  {printable('' if place else key):<{width}}", line)


def _lines(key: str, value: object) -> list[str]:
    """A value of an explanation; a list whose entries have a text of their own is one line an entry."""
    if isinstance(value, list) and value and all(isinstance(one, dict) and "text" in one for one in value):
        return [str(one["text"]) for one in value]
    return [told(key, value)]


def decision(review: Row) -> str:
    """A row of `reviews` on one line."""
    until = f" until {instant(review['until'])}" if review["until"] else ""
    return (
        f"{review['decision']} by {review['decided_by']} on {instant(review['decided_at'])}{until}: {review['reason']}"
    )


def told(key: str, value: object) -> str:
    """A value of an explanation for people: sizes with their unit, whole numbers without a fraction."""
    if isinstance(value, bool) or value is None:
        return json.dumps(value)
    if isinstance(value, str):
        return value
    if isinstance(value, int | float):
        return size(value) if _BYTES_KEY.search(key) else number(value)
    if isinstance(value, list):
        return ", ".join(told(key, each) for each in value)
    if isinstance(value, dict):
        return "; ".join(f"{name} {told(str(name), each)}" for name, each in value.items())
    return str(value)


def size(count: float) -> str:
    """Bytes with three digits of their unit and in full: `2.98 GB (2,984,001,374 bytes)`; MB is 10^6."""
    whole = f"{number(count)} bytes"
    return f"{sizes.size(count)} ({whole})" if abs(count) >= 1000 else whole


def number(value: float) -> str:
    """`3,600`, `0.85`: whole numbers in full, others with four digits."""
    if float(value).is_integer():
        return f"{int(value):,}"
    return f"{value:.4g}"


def path(hops: Sequence[Row], worker: str | None) -> Iterator[Text]:
    """A credential walked up: one line an end, one line a hop between."""
    if not hops:
        yield Text.assemble("  ", ("declared identity", "green") if worker else ("no hop is known", "red"))
        return
    yield Text(f"  {printable(hops[0]['from'])}")
    for hop, following in zip(hops, [*hops[1:], None], strict=True):
        strength = (hop["strength"] or "", STRENGTHS.get(hop["strength"], ""))
        shown = (f"  {printable(hop['evidence'] or '')}", "dim")
        mechanism = printable(hop["mechanism"] or "?")
        if following is not None and following["from"] == hop["from"]:
            # What the credential acts as lies beside the way up, not on it.
            yield Text.assemble(f"   ├ {mechanism} {printable(hop['to'])}  ", strength, shown)
            continue
        yield Text.assemble(f"   │ {mechanism}  ", strength, shown)
        yield Text(f"   └ {printable(hop['to'])}")


def evidence(rows: Sequence[Row], total: int) -> Iterator[Text]:
    """The records of a finding, each down to the object that it came in."""
    frozen = f"{total:,} of the finding's actions {'is' if total == 1 else 'are'} frozen"
    yield Text(f"evidence ({frozen})", style="bold")
    for place, row in enumerate(rows):
        action = json.loads(row["action"])
        yield Text(f"  {act(action)}")
        yield Text(f"      {printable(row['action_uid'])}", style="dim")
        yield Text(f"      record {row['ordinal']} of {printable(row['object_uri'] or '?')}", style="dim")
        yield Text(f"      sha256 {row['object_sha256']}", style="dim")
        if place < RAW_SHOWN:
            yield Text(f"      {raw(row['raw'])}", style="dim")
    if total > len(rows):
        yield Text(f"  and {total - len(rows):,} more (--json shows all)")


def raw(text: str | None) -> str:
    """A record as its source wrote it, on one line and cut."""
    if text is None:
        return "its text is not kept"
    cut = " … (--json shows all)" if len(text) > RAW_LENGTH else ""
    return printable(" ".join(text[:RAW_LENGTH].splitlines())) + cut


def act(action: Row) -> str:
    """One action on one line."""
    what = " ".join(
        str(part)
        for part in (action["api_operation"] or action["http_method"], _target(action), action["status"])
        if part
    )
    out, back = action["bytes_out"], action["bytes_in"]
    sizes = f"  out {out:,}" if out is not None else ""
    sizes += f"  in {back:,}" if back is not None else ""
    time = action["time"] if isinstance(action["time"], str) else instant(action["time"])
    return printable(f"{time}  {action['format']}  {what}{sizes}")


def _target(action: Row) -> str | None:
    if action["resource_uid"]:
        return str(action["resource_uid"])
    if action["dst_host"]:
        return f"{action['dst_host']}:{action['dst_port'] or ''}{action['url_path'] or ''}"
    return action["api_service"]  # type: ignore[no-any-return]


def chain(row: Row, actions: Sequence[Row]) -> Iterator[Text]:
    """A chain: what it is, how its acting credential is reached from its root, and what was done."""
    yield Text.assemble((f"chain {row['chain_id']}", "bold"))
    yield _field("worker", row["worker"])
    yield _field("root", row["root_uid"] or "-")
    if row["parent_chain_id"]:
        yield _field("started by", f"chain {row['parent_chain_id']}")
    if row["delegator"]:
        yield _field("on behalf of", row["delegator"])
    yield _field("when", f"{instant(row['started_at'])} to {instant(row['ended_at'])}")
    sent = f"{row['bytes_out']:,} bytes out" if row["bytes_out"] is not None else "bytes out unknown"
    yield _field("size", f"{row['actions']:,} actions in {', '.join(row['systems'])}; {sent}")
    yield _field("strength", row["strength"])
    shown: object = None
    for action in actions:
        if action["path"] != shown:
            shown = action["path"]
            yield from path(action["path"] or [], row["worker"])
        yield Text(f"     • {act(action)}")
    if row["actions"] > len(actions):
        yield Text(f"     and {row['actions'] - len(actions):,} more (--limit shows more)")


def _field(name: str, value: str) -> Text:
    return Text.assemble((f"{name:<13} ", "dim"), printable(value))
