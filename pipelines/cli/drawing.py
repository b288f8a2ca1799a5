"""Findings and chains drawn as lines of text; every value is made printable first."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rich.text import Text

from detectors.findings import printable
from pipelines.cli.context import instant

Row = Mapping[str, Any]

COLOURS = {"critical": "bold red", "high": "red", "medium": "yellow", "low": "cyan", "info": "dim"}
STRENGTHS = {"proven": "green", "asserted": "yellow", "inferred": "magenta", "ambiguous": "red", "none": "red"}


def finding(row: Row, who: Row | None, chain_row: Row | None) -> Iterator[Text]:
    """What a finding's first screen must answer: what, who, through what, since when, and what is expected."""
    yield Text.assemble((row["severity"].upper(), COLOURS[row["severity"]]), "  ", (printable(row["title"]), "bold"))
    yield _field("finding", f"{row['finding_uid']}  revision {row['revision']}, {row['status']}")
    yield _field("detector", f"{row['detector']} {row['detector_version']}")
    yield _field("worker", row["worker"] or "nobody is attributed")
    if who is not None:
        claim = f"{who['strength']}, confidence {who['confidence']:.2f}"
        yield _field("attribution", claim + (f": {who['reason']}" if who["reason"] else ""))
        if who["delegator"]:
            yield _field("on behalf of", f"{who['delegator']} ({who['delegator_strength']})")
    yield _field("principal", row["principal"] or "-")
    yield _field("entity", row["entity"] or "-")
    yield _field("when", f"{instant(row['window_start'])} to {instant(row['window_end'])}")
    yield _field("tags", ", ".join(row["tags"] or []))
    yield from _explained(row["explanation"])
    if who is not None:
        yield Text("who, hop by hop", style="bold")
        yield from path(who["path"] or [], who["worker"])
    if chain_row is not None:
        yield _field("chain", f"{chain_row['chain_id']}  {chain_row['actions']:,} actions, {chain_row['strength']}")


def _explained(text: str | None) -> Iterator[Text]:
    if not text:
        return
    yield Text("why", style="bold")
    for key, value in json.loads(text).items():
        if value not in (None, [], {}):
            shown = value if isinstance(value, str) else json.dumps(value)
            yield _field(f"  {key}", shown)


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
    yield Text(f"evidence ({total:,} of the finding's actions are frozen)", style="bold")
    for row in rows:
        action = json.loads(row["action"])
        yield Text(f"  {act(action)}")
        place = f"{row['object_uri']} record {row['ordinal']}, sha256 {row['object_sha256']}"
        yield Text(f"      {printable(row['action_uid'])}  {printable(place)}", style="dim")
    if total > len(rows):
        yield Text(f"  and {total - len(rows):,} more (--json shows all)")


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
