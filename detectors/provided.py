"""The tables that a detector's SQL may read; the pipeline fills them. Times are naive UTC.

`attributed` has every column of the primary actions and, with them, what attribution says of each
(ATTRIBUTION); `contested` has the same of actions that another record of their id contradicts; `addresses`
tells which network each of its `src_ip` is in. The rest is the lake's grants, bindings and chains, and what
manifests and their verdicts say.
"""

from __future__ import annotations

from collections.abc import Mapping

import pyarrow as pa

from detectors import addresses, approvals, manifest_bounds, manifest_tables, scope

_TEXT: pa.DataType = pa.string()
_TIME: pa.DataType = pa.timestamp("us")
_REAL: pa.DataType = pa.float64()

ATTRIBUTION = pa.schema(
    [
        ("worker", _TEXT),
        ("strength", _TEXT),
        ("confidence", _REAL),
        ("delegator", _TEXT),
        ("delegator_strength", _TEXT),
        ("chain_id", _TEXT),
        ("bound_uid", _TEXT),
        ("manifest_sha", _TEXT),
    ]
)
"""What `attributed` adds to an action; its `delegator` stands for the action's own. `manifest_sha` is in force then.

`bound_uid` is the credential, session or principal whose row of `bindings` decided.
"""

OF_MANIFESTS: dict[str, pa.Schema] = {
    "verdicts": scope.VERDICTS,
    "approval_needs": approvals.APPROVAL_NEEDS,
    "manifest_versions": manifest_tables.MANIFEST_VERSIONS,
    "identities": manifest_tables.IDENTITIES,
    "scope_lines": manifest_tables.SCOPE_LINES,
    "limits": manifest_tables.LIMITS,
    "networks": manifest_tables.NETWORKS,
    "secret_patterns": manifest_tables.SECRET_PATTERNS,
    "instantiators": manifest_bounds.INSTANTIATORS,
    "delegators": manifest_bounds.DELEGATORS,
    "may_start": manifest_bounds.MAY_START,
    "provenance": manifest_bounds.PROVENANCE,
    "approval_lines": manifest_bounds.APPROVAL_LINES,
    "working_hours": manifest_bounds.WORKING_HOURS,
    "zone_offsets": manifest_bounds.ZONE_OFFSETS,
}
"""What manifests say, and the verdicts that follow from it."""

HORIZONS = pa.schema([("source", _TEXT), ("horizon", _TIME)])
"""The event time up to which a source has told everything."""

SOURCES = pa.schema([("source", _TEXT), ("format", _TEXT), ("category", _TEXT)])
"""The configured sources, whether they told anything yet or not."""

OF_THE_LAKE = ("grants", "bindings", "chains")
"""Tables that are the lake's own."""

NAMES = frozenset({"attributed", *OF_THE_LAKE, "contested", "addresses", "horizons", "sources", *OF_MANIFESTS})


def schemas(lake: Mapping[str, pa.Schema]) -> dict[str, pa.Schema]:
    """Every provided table with its columns, given those of the lake's tables by name."""
    own = [field for field in lake["actions"] if field.name not in ATTRIBUTION.names]
    judged = pa.schema([*own, *ATTRIBUTION])
    return {
        "attributed": judged,
        "contested": judged,
        **{name: lake[name] for name in OF_THE_LAKE},
        "addresses": addresses.ADDRESSES,
        "horizons": HORIZONS,
        "sources": SOURCES,
        **OF_MANIFESTS,
    }
