"""The tables that a detector's SQL may read; the pipeline fills them. Times are naive UTC.

`attributed` has every column of the primary actions and, with them, what attribution says of each
(ATTRIBUTION). The rest is the lake's grants and bindings, and what manifests and their verdicts say.
"""

from __future__ import annotations

import pyarrow as pa

from detectors import manifest_tables, scope

_TEXT: pa.DataType = pa.string()
_TIME: pa.DataType = pa.timestamp("us")
_REAL: pa.DataType = pa.float64()

ATTRIBUTION = pa.schema(
    [
        ("worker", _TEXT),
        ("strength", _TEXT),
        ("confidence", _REAL),
        ("delegator", _TEXT),
        ("chain_id", _TEXT),
        ("manifest_sha", _TEXT),
    ]
)
"""What `attributed` adds to an action; its `delegator` stands for the action's own. `manifest_sha` is in force then."""

OF_MANIFESTS: dict[str, pa.Schema] = {
    "verdicts": scope.VERDICTS,
    "manifest_versions": manifest_tables.MANIFEST_VERSIONS,
    "identities": manifest_tables.IDENTITIES,
    "scope_lines": manifest_tables.SCOPE_LINES,
    "limits": manifest_tables.LIMITS,
    "networks": manifest_tables.NETWORKS,
    "secret_patterns": manifest_tables.SECRET_PATTERNS,
}
"""What manifests say, and the verdicts that follow from it."""

HORIZONS = pa.schema([("source", _TEXT), ("horizon", _TIME)])
"""The event time up to which a source has told everything."""

NAMES = frozenset({"attributed", "grants", "bindings", "horizons", *OF_MANIFESTS})


def schemas(actions: pa.Schema, grants: pa.Schema, bindings: pa.Schema) -> dict[str, pa.Schema]:
    """Every provided table with its columns, given those of the lake's tables."""
    own = [field for field in actions if field.name not in ATTRIBUTION.names]
    return {
        "attributed": pa.schema([*own, *ATTRIBUTION]),
        "grants": grants,
        "bindings": bindings,
        "horizons": HORIZONS,
        **OF_MANIFESTS,
    }
