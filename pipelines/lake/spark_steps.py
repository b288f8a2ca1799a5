"""A text in steps: what its WITH names and more than one place reads is made once, as in DuckDB.

Spark puts the text of a WITH in wherever it is named, so that a detector of twenty of them becomes a plan of
thousands of parts, which takes longer to plan than to run.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from sqlglot import exp


@dataclass(frozen=True)
class Step:
    """One query of a text; `name` is what later steps call it, null for the last, whose rows are the text's."""

    name: str | None
    query: exp.Query


def steps(tree: exp.Query, prefix: str) -> list[Step]:
    """The steps of a query, in order; names of intermediate ones begin with `prefix`, which no table's name does.

    A query with a WITH inside of another is one step: names could mean two things there.
    """
    ctes = tree.ctes
    if not ctes or len(list(tree.find_all(exp.With))) > 1:
        return [Step(None, tree)]
    names = [cte.alias for cte in ctes]
    if len(set(names)) < len(names):
        return [Step(None, tree)]
    last = tree.copy()
    last.set("with_", None)
    bodies = [_body(cte) for cte in ctes]
    reads = [_named(body, names[:at]) for at, body in enumerate(bodies)]
    reads.append(_named(last, names))
    uses = sum(reads, Counter())
    shared = {name for name in names if uses[name] > 1}
    found: list[Step] = []
    for at, (name, body) in enumerate(zip(names, bodies, strict=True)):
        if name in shared:
            found.append(Step(prefix + name, _whole(body, reads[at], names, bodies, reads, shared, prefix)))
    return [*found, Step(None, _whole(last, reads[-1], names, bodies, reads, shared, prefix))]


def _body(cte: exp.CTE) -> exp.Query:
    """What a WITH names, with its columns named as it says."""
    body: exp.Query = cte.this.copy()
    columns = cte.args["alias"].args.get("columns")
    if not columns:
        return body
    alias = exp.TableAlias(this=exp.to_identifier("named"), columns=[column.copy() for column in columns])
    return exp.select("*").from_(exp.Subquery(this=body, alias=alias))


def _named(query: exp.Query, names: Sequence[str]) -> Counter[str]:
    """How often a query reads each of the names."""
    return Counter(table.name for table in query.find_all(exp.Table) if table.name in names)


def _whole(
    query: exp.Query,
    own: Counter[str],
    names: Sequence[str],
    bodies: Sequence[exp.Query],
    reads: Sequence[Counter[str]],
    shared: set[str],
    prefix: str,
) -> exp.Query:
    """A query with those of the WITH that it alone rests on; what is shared is read by the name of its step."""
    needed, waiting = set(), list(own)
    while waiting:
        name = waiting.pop()
        if name not in shared and name not in needed:
            needed.add(name)
            waiting.extend(reads[names.index(name)])
    whole = _renamed(query, set(own) & shared, prefix)
    for at, name in enumerate(names):
        if name in needed:
            body = _renamed(bodies[at], set(reads[at]) & shared, prefix)
            whole = whole.with_(name, as_=body, append=True, copy=False)
    return whole


def _renamed(query: exp.Query, shared: set[str], prefix: str) -> exp.Query:
    query = query.copy()
    for table in list(query.find_all(exp.Table)):
        if table.name in shared and not table.args.get("db"):
            if not table.alias:
                table.set("alias", exp.TableAlias(this=exp.to_identifier(table.name)))
            table.set("this", exp.to_identifier(prefix + table.name, quoted=True))
    return query
