"""What Google Cloud's audit logs prove about credentials: which one gave rise to which, and which one ended.

Access tokens have no id. What a caller of a service account presents is therefore named by the accounts that
it went through: `gcp:delegated/user/alice@corp.example>sa/deploy@p.iam.gserviceaccount.com` stands for every token
with which Alice acts as that account. The entry of the action itself lists them (`serviceAccountDelegationInfo`),
and so does the entry of the call that made the token, which is off by default; both build the same name.

A member of a chain that the log leaves empty is `?`, and no grant leads up from it: a gap is not a root.
"""

from __future__ import annotations

import duckdb
import pyarrow as pa

from pipelines.formats.record_sql import moment

TELLING = (
    "serviceAccountDelegationInfo|oauthClientId|ExchangeToken|GenerateAccessToken|GenerateIdToken|SignJwt|SignBlob"
    "|ServiceAccount"
)
"""Words without which an entry can hold no grant."""

_ACTIONS = "(SELECT * FROM events WHERE reason IS NULL)"
_NONE = "CAST(NULL AS VARCHAR)"
_PERSON = "CASE WHEN starts_with(members[1], 'gcp:user/') THEN members[1] END"
"""Who began a chain, where that is a person."""

_DELEGATES = """list_filter(list_transform(coalesce(metadata.identityDelegationChain, []),
    lambda one: google('serviceAccount:' || account_of(one))), lambda one: one IS NOT NULL AND one <> target_sa)"""
"""The accounts between a caller and the one that it asked a token of."""

_LIFETIME = "to_seconds(try_cast(regexp_extract(request.lifetime, '^([0-9]{1,6})(?:[.][0-9]+)?s$', 1) AS INTEGER))"

_CHAINS = f"""
    SELECT record_id, 'serviceAccountDelegationInfo' AS mechanism, chain AS members, principal AS target,
           1 AS from_member, time, CAST(NULL AS TIMESTAMP) AS expires_at, identity_strength AS strength
    FROM {_ACTIONS} WHERE delegated_uid IS NOT NULL
    UNION ALL
    SELECT record_id, regexp_extract(method, '[^.]+$'), list_concat(list_append(chain, principal), {_DELEGATES}),
           target_sa, len(chain) + 1, time,
           CASE WHEN method LIKE '%GenerateAccessToken' THEN time + {_LIFETIME} END, identity_strength
    FROM {_ACTIONS}
    WHERE impersonates AND status = 'success' AND principal IS NOT NULL AND target_sa IS NOT NULL
      AND principal <> target_sa
"""
"""A row an entry that tells who acts, or may act, as a service account through whom."""

_NEXT = "coalesce(members[place + 1], CASE WHEN place = len(members) THEN target END)"

_LINKS = f"""
    SELECT record_id, 'issue' AS kind, mechanism,
           CASE WHEN place = 1 THEN members[1] ELSE delegated(members[1:place - 1], members[place]) END AS parent_uid,
           delegated(members[1:place], {_NEXT}) AS child_uid,
           {_NEXT} AS principal,
           {_PERSON} AS delegator, CASE WHEN {_PERSON} IS NOT NULL THEN 'proven' END AS delegator_strength,
           time AS issued_at, CASE WHEN place = len(members) THEN expires_at END AS expires_at, strength
    FROM (SELECT *, unnest(range(from_member, len(members) + 1)) AS place FROM ({_CHAINS}))
    WHERE members[place] IS NOT NULL AND (place = len(members) OR members[place + 1] IS NOT NULL)
"""
"""A row a member of a chain that is known: the tokens with which it acts as the next one."""

_EXCHANGES = f"""
    SELECT record_id, 'issue', 'ExchangeToken', principal, mapped, mapped, {_NONE}, {_NONE}, time,
           CAST(NULL AS TIMESTAMP), 'proven'
    FROM {_ACTIONS} WHERE is_exchange AND status = 'success'
"""
"""A row an outside token that was exchanged: Google itself names the subject and what it is mapped to."""

_CLIENTS = f"""
    SELECT record_id, 'issue', 'oauthInfo', 'oauth:client/accounts.google.com#' || client_id, oauth_uid, principal,
           principal, 'proven', time, CAST(NULL AS TIMESTAMP), 'asserted'
    FROM {_ACTIONS} WHERE oauth_uid IS NOT NULL AND delegated_uid IS NULL AND key_uid IS NULL
"""
"""A row a person's entry that came through an OAuth client. An installed application's id is no secret: anybody
may use it, so the hop is `asserted`."""

_SECONDS = "try_cast(try_cast(response.valid_before_time.seconds AS DOUBLE) AS BIGINT)"
_ENDS = f"coalesce(make_timestamp({_SECONDS} * 1000000), {moment('response.validBeforeTime')})"
_KEY = """coalesce(key_name(response.name, substr(target_sa, 8)), key_name(request.name, substr(target_sa, 8)),
    key_name(resource_name, substr(target_sa, 8)))"""
_PRESENTED = "coalesce(delegated_uid, key_uid, oauth_uid, principal)"

_KEYS = f"""
    SELECT record_id, CASE WHEN regexp_matches(method, '[.](?:Delete|Disable)') THEN 'revoke' ELSE 'issue' END,
           regexp_extract(method, '[^.]+$'),
           CASE WHEN NOT regexp_matches(method, '[.](?:Delete|Disable)') THEN {_PRESENTED} END, {_KEY}, target_sa,
           {_NONE}, {_NONE}, time,
           -- A key that ends in the year 9999 does not end.
           CASE WHEN {_SECONDS} BETWEEN 0 AND 250000000000 OR {_SECONDS} IS NULL
                THEN CASE WHEN {_ENDS} < TIMESTAMP '9000-01-01' THEN {_ENDS} END END,
           CASE WHEN principal = target_sa OR regexp_matches(method, '[.](?:Delete|Disable)') THEN 'proven'
                ELSE 'asserted' END
    FROM {_ACTIONS}
    WHERE service = 'iam.googleapis.com' AND status = 'success'
      AND regexp_matches(method, '[.](?:Create|Upload|Enable|Delete|Disable)ServiceAccountKey$')
"""
"""A row a key of a service account that was made, ended, or made valid again; for another account `asserted`."""

_ACCOUNTS = f"""
    SELECT record_id, 'revoke', regexp_extract(method, '[^.]+$'), {_NONE}, target_sa, target_sa, {_NONE}, {_NONE},
           time, CAST(NULL AS TIMESTAMP), 'proven'
    FROM {_ACTIONS}
    WHERE service = 'iam.googleapis.com' AND status = 'success'
      AND regexp_matches(method, '[.](?:Delete|Disable)ServiceAccount$')
"""
"""A row a service account that was switched off."""


def grants(connection: duckdb.DuckDBPyConnection) -> pa.Table:
    """Rows of GRANTS_OUT from the `events` that `gcp_audit_sql.read` made."""
    kinds = (_LINKS, _EXCHANGES, _CLIENTS, _KEYS, _ACCOUNTS)
    return connection.execute(
        f"""
        WITH found AS ({" UNION ALL ".join(f"FROM ({kind})" for kind in kinds)})
        SELECT DISTINCT * FROM found
        WHERE child_uid IS NOT NULL AND child_uid IS DISTINCT FROM parent_uid
          AND (kind = 'revoke' OR parent_uid IS NOT NULL)
        """
    ).to_arrow_table()
