"""How a run comes by its credentials, by the column: each function takes a row a run and gives a row a credential.

Sources: "Logging IAM and AWS STS API calls with AWS CloudTrail" (what each form of AssumeRole asks and answers, and
that both accounts get a record of a cross-account one); Okta's System Log event types.
"""

from __future__ import annotations

import polars as pl

from pipelines.worlds.draws import Draws, aws_ids, base62, sizes, uuids
from pipelines.worlds.happenings import CALLS, ISSUINGS, SESSION, frame

ON_BEHALF = "urn:ietf:params:oauth:grant-type:jwt-bearer"
AUDIENCE = "sts.amazonaws.com"
TOKEN_LIFE = pl.duration(hours=1)
_WRITTEN = "%b %-d, %Y, %-I:%M:%S %p"


def provider_arn(account: pl.Expr, issuer: pl.Expr) -> pl.Expr:
    """The IAM identity provider of an account for an issuer."""
    return pl.concat_str(pl.lit("arn:aws:iam::"), account, pl.lit(":oidc-provider/"), issuer)


def _role_session(runs: pl.DataFrame, stream: Draws) -> pl.DataFrame:
    """SESSION of the role in `role_arn`, `role_name`, `role_id`, `role_account`, issued at `at`."""
    name = pl.col("session_name")
    return runs.select(
        pl.lit("AssumedRole").alias("identity_type"),
        pl.col("role_account").alias("caller_account"),
        pl.concat_str("role_id", pl.lit(":"), name).alias("principal_id"),
        pl.concat_str(
            pl.lit("arn:aws:sts::"), "role_account", pl.lit(":assumed-role/"), "role_name", pl.lit("/"), name
        ).alias("arn"),
        aws_ids(stream, "ASIA", runs.height).alias("access_key"),
        pl.lit(None, pl.String).alias("user_name"),
        pl.col("role_arn").alias("issuer_arn"),
        pl.col("role_id").alias("issuer_id"),
        pl.col("at").dt.truncate("1s").alias("session_created"),
        pl.col("provider") if "provider" in runs.columns else pl.lit(None, pl.String).alias("provider"),
        pl.col("source_identity"),
        pl.lit(None, pl.String).alias("invoked_by"),
        pl.lit(None, pl.Boolean).alias("mfa"),
        pl.lit(None, pl.Boolean).alias("console"),
    )


def _asked_and_answered(session: pl.DataFrame, stream: Draws, answer: pl.Expr | None = None) -> list[pl.Expr]:
    """`request` and `response` of the AssumeRole that issued each session."""
    identity = pl.when(pl.col("source_identity").is_not_null()).then(
        pl.format(',"sourceIdentity":"{}"', "source_identity")
    ).otherwise(pl.lit(""))  # fmt: skip
    token = base62(stream, 60, session.height)
    asked = pl.concat_str(
        pl.lit('{"roleArn":"'), "role_arn", pl.lit('","roleSessionName":"'), "session_name",
        pl.lit('","durationSeconds":3600'), identity, pl.lit("}"),
    )  # fmt: skip
    answered = pl.concat_str(
        pl.lit('{"credentials":{"accessKeyId":"'), "issued_key", pl.lit('","sessionToken":"'), token,
        pl.lit('","expiration":"'), (pl.col("session_created") + TOKEN_LIFE).dt.strftime(_WRITTEN),
        pl.lit('"},"assumedRoleUser":{"assumedRoleId":"'), "issued_id", pl.lit('","arn":"'), "issued_arn",
        pl.lit('"}'), identity, answer if answer is not None else pl.lit(""), pl.lit("}"),
    )  # fmt: skip
    return [asked.alias("request"), answered.alias("response")]


def _sts(runs: pl.DataFrame, session: pl.DataFrame, operation: str, stream: Draws) -> pl.DataFrame:
    """The columns that all forms of AssumeRole share: who issued what to whom."""
    count = runs.height
    return runs.with_columns(
        uuids(stream, count).alias("event"),
        session["access_key"].alias("issued_key"), session["principal_id"].alias("issued_id"),
        session["arn"].alias("issued_arn"), session["session_created"],
        pl.lit("sts").alias("service"), pl.lit(operation).alias("operation"),
        pl.lit(False).alias("is_data"), pl.lit(True).alias("read_only"), pl.col("role_arn").alias("resource"),
        pl.lit(1_400).alias("bytes_out"), pl.lit(2_600).alias("bytes_in"),
        pl.Series("duration_ms", sizes(stream, 20, 180, count)),
    )  # fmt: skip


def web_identities(runs: pl.DataFrame, stream: Draws) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Roles taken on with a token of an OIDC issuer: CALLS and, row by row, SESSION.

    `runs` holds the columns of TRUTH but for `event`, and role_arn, role_name, role_id, role_account, session_name,
    issuer, subject, region, address, agent, source_identity.
    """
    runs = runs.with_columns(provider_arn(pl.col("role_account"), pl.col("issuer")).alias("provider"))
    session = _role_session(runs, stream)
    answer = pl.concat_str(
        pl.lit(',"subjectFromWebIdentityToken":"'), "subject", pl.lit('","provider":"'), "provider",
        pl.lit(f'","audience":"{AUDIENCE}","packedPolicySize":0'),
    )  # fmt: skip
    wide = _sts(runs, session, "AssumeRoleWithWebIdentity", stream)
    calls = wide.with_columns(_asked_and_answered(wide, stream, answer)).with_columns(
        pl.lit("WebIdentityUser").alias("identity_type"),
        pl.concat_str("provider", pl.lit(f":{AUDIENCE}:"), "subject").alias("principal_id"),
        pl.col("subject").alias("user_name"),
        pl.col("role_account").alias("account"),
    )
    # The caller has no session yet.
    return _calls(calls.drop("session_created", "source_identity")), session


def saml_roles(runs: pl.DataFrame, stream: Draws) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Roles that people take on by single sign-on: CALLS and SESSION; `runs` as above, with user_mail, no issuer."""
    runs = runs.with_columns(
        pl.concat_str(pl.lit("arn:aws:iam::"), "role_account", pl.lit(":saml-provider/okta")).alias("saml")
    )
    session = _role_session(runs, stream)
    wide = _sts(runs, session, "AssumeRoleWithSAML", stream)
    answer = pl.concat_str(
        pl.lit(',"subject":"'), "user_mail", pl.lit('","subjectType":"unspecified","issuer":"http://www.okta.com/exk1'),
        pl.lit('","audience":"https://signin.aws.amazon.com/saml"'),
    )  # fmt: skip
    calls = wide.with_columns(_asked_and_answered(wide, stream, answer)).with_columns(
        pl.lit("SAMLUser").alias("identity_type"),
        pl.concat_str("saml", pl.lit(":"), "user_mail").alias("principal_id"),
        pl.col("user_mail").alias("user_name"),
        pl.col("saml").alias("provider"),
        pl.col("role_account").alias("account"),
        pl.concat_str(pl.col("request").str.slice(0, pl.col("request").str.len_chars() - 1),
                      pl.lit(',"principalArn":"'), "saml", pl.lit('"}')).alias("request"),
    )  # fmt: skip
    return _calls(calls.drop("session_created", "source_identity")), session


def assumptions(runs: pl.DataFrame, callers: pl.DataFrame, stream: Draws) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Roles taken on with the AWS credentials of `callers` (SESSION, row by row): CALLS and SESSION.

    `runs` as for `web_identities`, without issuer and subject. The owner of a role in another account gets a twin of
    the record, under an id of its own and the same `shared_id`.
    """
    session = _role_session(runs, stream)
    wide = _sts(runs, session, "AssumeRole", stream)
    wide = wide.with_columns(_asked_and_answered(wide, stream))
    caller = callers.select(pl.all().name.prefix("caller_by_"))
    wide = wide.drop(name for name in wide.columns if name in SESSION)
    wide = pl.concat([wide, caller.rename({f"caller_by_{name}": name for name in SESSION})], how="horizontal")
    abroad = pl.col("role_account") != pl.col("caller_account")
    wide = wide.with_columns(
        pl.when(abroad).then(uuids(stream, runs.height)).alias("shared_id"), pl.col("caller_account").alias("account")
    )
    twins = wide.filter(abroad)
    if twins.height:
        gone = [pl.lit(None, kind).alias(name) for name, kind in SESSION.items()
                if name not in ("caller_account", "principal_id", "identity_type")]  # fmt: skip
        twins = twins.with_columns(
            uuids(stream, twins.height).alias("event"), pl.lit("AWSAccount").alias("identity_type"),
            pl.col("role_account").alias("account"), *gone,
        )  # fmt: skip
        wide = pl.concat([wide, twins])
    return _calls(wide), session


def _calls(wide: pl.DataFrame) -> pl.DataFrame:
    return frame(CALLS, wide.select(name for name in wide.columns if name in CALLS))


def tokens(runs: pl.DataFrame, stream: Draws) -> pl.DataFrame:
    """Access tokens of the org's authorization server for clients, or on behalf of the person in `user_id`: ISSUINGS.

    `runs` holds the columns of TRUTH but for `event`, and client_id, client_name, user_id, user_mail, user_name,
    scopes, address, agent.
    """
    count = runs.height
    wide = runs.with_columns(
        uuids(stream, count).alias("event"), pl.lit("token_granted").alias("kind"),
        pl.when(pl.col("user_id").is_null()).then(pl.lit("client_credentials")).otherwise(pl.lit(ON_BEHALF))
        .alias("grant_type"),
        base62(stream, 43, count, "AT.").alias("token_id"),
        (pl.col("at").dt.truncate("1s") + TOKEN_LIFE).alias("expires_at"),
        base62(stream, 24, count).alias("transaction"),
    )  # fmt: skip
    return frame(ISSUINGS, wide.select(name for name in wide.columns if name in ISSUINGS))


def key_sessions(runs: pl.DataFrame) -> pl.DataFrame:
    """SESSION of IAM users: `runs` holds key, key_user, key_user_arn, key_user_id, key_account."""
    return frame(
        SESSION,
        runs.select(
            pl.lit("IAMUser").alias("identity_type"), pl.col("key_account").alias("caller_account"),
            pl.col("key_user_id").alias("principal_id"), pl.col("key_user_arn").alias("arn"),
            pl.col("key").alias("access_key"), pl.col("key_user").alias("user_name"),
        ),
    )  # fmt: skip
