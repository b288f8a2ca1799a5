"""Everything that makes attribution hard is really there in a small world: one test each."""

from __future__ import annotations

from datetime import timedelta

import polars as pl

from pipelines.worlds import life, populate
from pipelines.worlds.size import Size
from tests.pipelines.worlds.living import SIZE, calls_of, days_of, estate, lived


def test_a_run_goes_through_several_systems() -> None:
    systems = pl.concat(
        frame.select("run", pl.lit(name).alias("system"))
        for name, frame in (("cloud", lived().calls), ("proxy", lived().requests), ("token", lived().issuings))
    )
    per_run = systems.drop_nulls("run").unique().group_by("run").len()
    assert (per_run["len"] == 3).mean() > 0.5  # type: ignore[operator]


def test_throttled_calls_are_made_again() -> None:
    """The next call of the run is the same and succeeds."""
    ordered = calls_of("quality_sweeper").sort("run", "at").with_columns(
        pl.col("operation", "error_code", "resource").shift(-1).over("run").name.suffix("_next"))  # fmt: skip
    throttled = ordered.filter(pl.col("error_code").is_in(["SlowDown", "ProvisionedThroughputExceededException"]))
    assert throttled.height > 3
    assert (throttled["operation"] == throttled["operation_next"]).all()
    assert (throttled["error_code_next"].is_null()).mean() > 0.9  # type: ignore[operator]


def test_pages_follow_one_another() -> None:
    """The first page has no token, and the further ones each their own."""
    scans = calls_of("quality_sweeper").filter((pl.col("operation") == "Scan") & pl.col("error_code").is_null())
    first = scans.sort("at").group_by("run", maintain_order=True).first()
    assert not first["request"].str.contains("continuationToken").any()
    further = scans["request"].str.extract('"continuationToken":"([0-9a-f]+)"').drop_nulls()
    assert further.n_unique() == len(further) > scans.height / 2


def test_a_deploy_changes_agent_and_address() -> None:
    one = next(worker for worker in estate().workers if worker.name == "support-agent")
    deployed = one.agents[1][0]
    requests = lived().requests.filter(pl.col("worker") == one.name)
    for told in ("agent", "client"):
        before = set(requests.filter(days_of(requests) < deployed)[told])
        after = set(requests.filter(days_of(requests) > deployed)[told])
        assert before
        assert after
        assert before.isdisjoint(after)


def test_a_key_is_rotated_and_the_old_one_switched_off() -> None:
    bot = next(worker for worker in estate().workers if worker.kind == "legacy_bot")
    old, new = bot.keys
    calls = lived().calls
    used = {key.key: set(days_of(calls.filter(pl.col("access_key") == key.key))) for key in bot.keys}
    assert max(used[old.key]) < new.first_day <= min(used[new.key])
    made = calls.filter((pl.col("operation") == "CreateAccessKey") & pl.col("response").str.contains(new.key))
    assert days_of(made).to_list() == [new.first_day - 1]
    ended = calls.filter((pl.col("operation") == "UpdateAccessKey") & pl.col("request").str.contains(old.key))
    assert days_of(ended).to_list() == [old.end_day]


def test_a_new_legitimate_destination_appears() -> None:
    one = next(worker for worker in estate().workers if worker.kind == "finance_recon")
    site = one.sites[-1]
    visits = lived().requests.filter((pl.col("worker") == one.name) & (pl.col("host") == site.host))
    assert site.from_day > 0
    assert visits.height > 0
    assert min(days_of(visits)) >= site.from_day


def test_a_month_ends_in_a_peak() -> None:
    """The runs of the last days of a month and of the first are longer."""
    calls = calls_of("finance_recon").filter(pl.col("service") != "sts")
    per_day = calls.group_by(pl.col("at").dt.date().alias("day")).len()
    peak = pl.col("day").dt.offset_by("2d").dt.month() != pl.col("day").dt.month()
    at_end, else_ = (
        per_day.filter(peak)["len"].mean(),
        per_day.filter(~peak & (pl.col("day").dt.day() > 1))["len"].mean(),
    )
    assert isinstance(at_end, float)
    assert isinstance(else_, float)
    assert at_end > 1.5 * else_


def test_a_worker_is_new_and_another_is_retired() -> None:
    new = [worker for worker in estate().workers if worker.first_day > 0]
    retired = [worker for worker in estate().workers if worker.last_day is not None]
    assert new
    assert retired
    requests = lived().requests
    for worker in new:
        assert min(days_of(requests.filter(pl.col("worker") == worker.name))) >= worker.first_day
    for worker in retired:
        assert worker.last_day is not None
        assert max(days_of(requests.filter(pl.col("worker") == worker.name))) <= worker.last_day


def test_a_worker_starts_another_by_taking_on_its_role() -> None:
    planner = next(worker for worker in estate().workers if worker.may_start)
    child = estate().worker(planner.may_start[0])
    started = lived().calls.filter(
        (pl.col("operation") == "AssumeRole") & (pl.col("worker") == planner.name)
        & (pl.col("resource") == child.roles[0].arn)
    )  # fmt: skip
    assert started.height > 5
    keys = started["response"].str.extract('"accessKeyId":"([A-Z0-9]+)"')
    theirs = lived().calls.filter(pl.col("worker") == child.name)
    assert theirs.height > 0
    assert set(theirs["access_key"]) <= set(keys)


def test_people_take_on_roles_that_workers_take_on() -> None:
    borrowed = {role.arn for worker in estate().workers for role in worker.borrows}
    used = lived().calls.filter(pl.col("issuer_arn").is_in(borrowed) & pl.col("error_code").is_null())
    by = used.group_by("issuer_arn").agg(pl.col("worker").is_null().any().alias("people"),
                                         pl.col("worker").is_not_null().any().alias("workers"))  # fmt: skip
    assert by.filter(pl.col("people") & pl.col("workers")).height >= 1


def test_people_name_sessions_as_workers_do() -> None:
    sessions = lived().calls.filter(pl.col("issuer_arn").str.contains(":role/people/"))
    names = sessions.with_columns(pl.col("arn").str.extract("/([^/-]+-[a-z]+)[^/]*$").alias("like"))
    by_people = set(names.filter(pl.col("worker").is_null())["like"].drop_nulls())
    by_workers = set(names.filter(pl.col("worker").is_not_null())["like"].drop_nulls())
    assert by_people & by_workers


def test_workers_and_people_share_a_proxy_account() -> None:
    shared = lived().requests.filter(pl.col("user") == estate().shared_proxy_user)
    assert shared["worker"].drop_nulls().n_unique() >= 2
    assert shared["worker"].null_count() > 0


def test_the_cloud_sees_everybody_behind_the_same_addresses() -> None:
    direct = lived().calls.filter(pl.col("invoked_by").is_null())
    assert set(direct["address"]) == set(estate().egress)
    assert direct.group_by("address").agg(pl.col("worker").n_unique())["worker"].min() > 10  # type: ignore[operator]


def test_workers_share_hosts() -> None:
    per_client = lived().requests.drop_nulls("worker").group_by("client").agg(pl.col("worker").n_unique())
    assert (per_client["worker"] >= 2).sum() >= 3


def test_one_subject_begins_many_runs() -> None:
    begun = calls_of("ci_deployer").filter(pl.col("operation") == "AssumeRoleWithWebIdentity")
    runs = begun.group_by("user_name").agg(pl.col("run").n_unique())
    assert runs["run"].min() > 10  # type: ignore[operator]
    assert (begun["user_name"].str.starts_with("repo:corp/")).all()


def test_a_role_abroad_leaves_twins() -> None:
    twins = calls_of("ci_deployer").drop_nulls("shared_id").group_by("shared_id").agg(
        pl.col("account").n_unique(), pl.col("event").n_unique(), pl.len())  # fmt: skip
    assert twins.height > 10
    assert (twins.select("account", "event", "len") == 2).min().row(0) == (True, True, True)


def test_names_look_alike() -> None:
    names = {worker.name for worker in estate().workers}
    assert {"support-agent", "support-agent-2", "release-bot", "release-bot-2"} <= names


def test_delegated_workers_act_for_people_of_theirs_alone() -> None:
    for worker in estate().workers:
        told = set(lived().requests.filter(pl.col("worker") == worker.name)["delegator"].drop_nulls())
        assert told <= {f"mail:addr/{person.mail}" for person in worker.delegators}
        assert bool(told) == bool(worker.delegators)


def test_secrets_are_decrypted_in_their_readers_name() -> None:
    calls = calls_of("finance_recon")
    read = calls.filter((pl.col("operation") == "GetSecretValue") & pl.col("error_code").is_null())
    decrypted = calls.filter(pl.col("operation") == "Decrypt")
    assert decrypted.height == read.height > 10
    assert set(decrypted["invoked_by"]) == {"secretsmanager.amazonaws.com"}


def test_tunnels_carry_what_is_called_through_them() -> None:
    """Every call that a program makes lies within a tunnel of its run to an endpoint of AWS."""
    calls = lived().calls.filter(pl.col("invoked_by").is_null() & (pl.col("identity_type") != "AWSAccount"))
    calls = calls.drop_nulls("run").select("run", "at").with_row_index()
    tunnels = lived().requests.filter(pl.col("host").str.ends_with(".amazonaws.com")).drop_nulls("run").select(
        "run", pl.col("at").alias("since"), (pl.col("at") + pl.duration(milliseconds="elapsed_ms")).alias("until"))  # fmt: skip
    within = calls.join(tunnels, on="run").filter(pl.col("at").is_between("since", "until"))
    assert within["index"].n_unique() == calls.height


def test_a_busier_world_has_more_runs() -> None:
    quiet, busy = (Size(seed=7, workers=12, days=14, events=events) for events in (8_000, 80_000))
    runs = [life.day(populate.estate(size), size, 2).requests["run"].n_unique() for size in (quiet, busy)]
    assert runs[1] > 2 * runs[0]


def test_runs_end_within_the_hour_of_their_credentials() -> None:
    runs = lived().calls.drop_nulls("run").group_by("run").agg((pl.col("at").max() - pl.col("at").min()).alias("took"))
    assert runs["took"].max() < timedelta(hours=1)  # type: ignore[operator]
    assert SIZE.days == 21
