"""Names of principals and credentials: `system:kind/[realm/]name`. This file alone builds and reads them.

The name is written as the issuing system writes it. A realm stands wherever names are not unique in
the world; `/` and `%` inside it are percent-encoded. Each builder exists twice, as a Python function
and as a DuckDB SQL expression over SQL expressions, so that both write the same bytes; a null part
makes the whole identifier null.
"""

from __future__ import annotations

from dataclasses import dataclass

CREDENTIAL_KINDS = frozenset(
    {
        "aws:key", "aws:session", "gcp:key", "azure:token", "k8s:token", "oauth:token", "okta:session",
        "okta:token", "saml:assertion", "vault:accessor", "vault:lease", "github:token", "github:run",
        "x509:cert", "litellm:key", "mcp:session", "trace:id", "oidc:session",
        "k8s:pod", "github:session", "azure:session",
        "ocsf:session", "ocsf:credential", "ocsf:delegation",
    }
)  # fmt: skip
"""Kinds that a caller presents; every other kind names a principal."""

LONG_LIVED = ("aws:key/AKIA", "okta:token/", "gcp:key/", "litellm:key/", "github:token/", "x509:cert/")
"""How identifiers of static credentials begin: one is used for months, so a chain of it is one UTC day."""

REUSED_KINDS = frozenset({"net:addr"})
"""Kinds whose names are handed on to others: they bind for an interval only."""


def encode_realm(realm: str) -> str:
    """`a/b` is `a%2Fb`: a realm never adds a level."""
    return realm.replace("%", "%25").replace("/", "%2F")


def decode_realm(text: str) -> str:
    """The inverse of `encode_realm`."""
    return text.replace("%2F", "/").replace("%25", "%")


def uid(kind: str, name: str, realm: str | None = None) -> str:
    """`uid("proxy:user", "svc", "egress")` is `proxy:user/egress/svc`."""
    return f"{kind}/{name}" if realm is None else f"{kind}/{encode_realm(realm)}/{name}"


def issuer(text: str) -> str:
    """An OAuth or OIDC issuer without `https://` and without a trailing slash."""
    return text.removeprefix("https://").rstrip("/")


def kind_of(identifier: str) -> str:
    """`aws:key/AKIA1` is of kind `aws:key`."""
    return identifier.split("/", 1)[0]


def is_credential(identifier: str) -> bool:
    """Whether it names something that a caller presents, rather than who the caller is."""
    return kind_of(identifier) in CREDENTIAL_KINDS


@dataclass(frozen=True)
class Sql:
    """The same builders as SQL text."""

    @staticmethod
    def uid(kind: str, name: str, realm: str | None = None) -> str:
        """SQL for `uid(kind, name, realm)`; `name` and `realm` are SQL expressions; empty names give null."""
        tail = f"nullif({name}, '')"
        if realm is None:
            return f"('{kind}/' || {tail})"
        return f"('{kind}/' || {Sql.encode_realm(realm)} || '/' || {tail})"

    @staticmethod
    def encode_realm(realm: str) -> str:
        return f"replace(replace({realm}, '%', '%25'), '/', '%2F')"

    @staticmethod
    def issuer(text: str) -> str:
        return f"rtrim(regexp_replace({text}, '^https://', ''), '/')"

    @staticmethod
    def is_credential(identifier: str) -> str:
        kinds = ", ".join(f"'{kind}'" for kind in sorted(CREDENTIAL_KINDS))
        return f"(split_part({identifier}, '/', 1) IN ({kinds}))"

    @staticmethod
    def is_long_lived(identifier: str) -> str:
        """SQL for: a static credential or a principal, of which a chain is one UTC day."""
        static = " OR ".join(f"starts_with({identifier}, '{start}')" for start in LONG_LIVED)
        return f"(NOT {Sql.is_credential(identifier)} OR {static})"
