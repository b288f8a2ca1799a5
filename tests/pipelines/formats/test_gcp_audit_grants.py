"""Log entries in, grants out: through whom a service account is acted as, federated subjects, keys."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest

from pipelines.formats.gcp_audit import GcpOptions
from tests.pipelines.formats.gcp_entries import PROVIDER, SA, entry, granted, read

CI = "ci@p.iam.gserviceaccount.com"
POOL = "principal://iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/gh/subject/repo:a/b"


def person(address: str) -> dict[str, Any]:
    return {"firstPartyPrincipal": {"principalEmail": address}}


def acting_through(*chain: dict[str, Any]) -> dict[str, Any]:
    return entry(auth={"principalEmail": SA, "serviceAccountDelegationInfo": list(chain)})


def links(event: dict[str, Any]) -> list[tuple[str, str]]:
    return [(grant["parent_uid"], grant["child_uid"]) for grant in granted(event)]


def token_call(caller: dict[str, Any], target: str = SA, **payload: Any) -> dict[str, Any]:
    return entry(
        "GenerateAccessToken",
        caller,
        payload={
            "serviceName": "iamcredentials.googleapis.com",
            "resourceName": "projects/-/serviceAccounts/1",
            **payload,
        },
        resource={"type": "service_account", "labels": {"email_id": target}},
    )


class TestDelegation:
    def test_the_entry_says_through_whom_it_acts(self):
        event = acting_through({"principalSubject": POOL})
        (grant,) = granted(event)
        child = f"gcp:delegated/principal/{POOL}>sa/{SA}"
        assert (grant["parent_uid"], grant["child_uid"]) == (f"gcp:principal/{POOL}", child)
        assert (grant["principal"], grant["strength"]) == (f"gcp:sa/{SA}", "proven")
        assert read([event])[0]["credential_uid"] == child

    def test_a_chain_is_a_hop_a_member_in_its_order(self):
        assert links(acting_through(person("alice@x.example"), person(CI))) == [
            ("gcp:user/alice@x.example", f"gcp:delegated/user/alice@x.example>sa/{CI}"),
            (f"gcp:delegated/user/alice@x.example>sa/{CI}", f"gcp:delegated/user/alice@x.example>sa/{CI}>sa/{SA}"),
        ]

    def test_a_person_who_began_it_is_the_delegator(self):
        event = acting_through(person("Alice@x.example"))
        assert {grant["delegator"] for grant in granted(event)} == {"gcp:user/alice@x.example"}
        assert read([event])[0]["delegator_strength"] == "proven"
        assert read([acting_through(person(CI))])[0]["delegator"] is None

    def test_an_unknown_member_is_a_gap_and_no_root(self):
        assert links(acting_through({}, person(CI))) == [
            (f"gcp:delegated/?>sa/{CI}", f"gcp:delegated/?>sa/{CI}>sa/{SA}"),
        ]
        assert links(acting_through({})) == []
        assert read([acting_through({})])[0]["credential_uid"] is None

    def test_a_subject_cannot_forge_a_chain(self):
        """An outside subject may hold any character; the one between members is escaped in it."""
        event = acting_through({"principalSubject": f"principal://x/subject/a>sa/{CI}"})
        assert (
            read([event])[0]["credential_uid"] == f"gcp:delegated/principal/principal://x/subject/a%3Esa/{CI}>sa/{SA}"
        )


class TestTokenCalls:
    def test_the_call_builds_the_same_name_as_the_use(self):
        call = token_call({"principalSubject": POOL, "serviceAccountDelegationInfo": [{}]})
        assert links(call) == links(acting_through({"principalSubject": POOL}))

    def test_the_call_knows_when_the_token_ends(self):
        (grant,) = granted(token_call({"principalEmail": "a@x.example"}, request={"lifetime": "600s"}))
        assert (grant["issued_at"], grant["expires_at"]) == (
            datetime(2026, 1, 5, 10, 0, 0, 123456), datetime(2026, 1, 5, 10, 10, 0, 123456))  # fmt: skip

    def test_delegates_stand_between_caller_and_target(self):
        chain = [f"projects/-/serviceAccounts/{CI}", f"projects/-/serviceAccounts/{SA}"]
        call = token_call({"principalEmail": "a@x.example"}, metadata={"identityDelegationChain": chain})
        assert links(call) == links(acting_through(person("a@x.example"), person(CI)))

    def test_a_caller_that_acts_through_others_carries_its_chain_on(self):
        caller = {"principalEmail": CI, "serviceAccountDelegationInfo": [person("a@x.example")]}
        assert links(token_call(caller))[-1] == links(acting_through(person("a@x.example"), person(CI)))[-1]

    @pytest.mark.parametrize(
        "event",
        [
            token_call({"principalEmail": "a@x.example"}, status={"code": 7}),
            token_call({"principalEmail": SA}),
            token_call({}),
        ],
    )
    def test_a_refusal_a_token_for_oneself_and_an_unknown_caller_grant_nothing(self, event: dict[str, Any]):
        assert granted(event) == []


def exchange(**payload: Any) -> dict[str, Any]:
    return entry(
        "google.identity.sts.v1.SecurityTokenService.ExchangeToken",
        {"principalSubject": "repo:a/b"},
        payload={
            "serviceName": "sts.googleapis.com",
            "resourceName": PROVIDER,
            "metadata": {"mapped_principal": POOL},
            **payload,
        },
    )


class TestFederation:
    def test_with_its_issuer_named_a_subject_joins_the_issuers_own_logs(self):
        (grant,) = granted(exchange())
        assert grant["parent_uid"] == "oidc:subject/token.actions.githubusercontent.com#repo:a/b"
        assert (grant["child_uid"], grant["strength"]) == (f"gcp:principal/{POOL}", "proven")

    def test_without_it_is_a_subject_of_the_provider(self):
        (grant,) = granted(exchange(), options=GcpOptions())
        assert grant["parent_uid"] == f"gcp:external/{PROVIDER.replace('/', '%2F')}/repo:a/b"

    def test_workforce_pools_spell_the_key_otherwise(self):
        assert granted(exchange(metadata={"mappedPrincipal": POOL}))[0]["child_uid"] == f"gcp:principal/{POOL}"

    def test_a_refused_exchange_grants_nothing_and_proves_nobody(self):
        event = exchange(status={"code": 3, "message": "bad"})
        assert granted(event) == []
        assert read([event])[0]["identity_strength"] == "asserted"


def key_call(method: str, who: str = "a@x.example", **payload: Any) -> dict[str, Any]:
    return entry(
        f"google.iam.admin.v1.{method}",
        {"principalEmail": who},
        payload={"serviceName": "iam.googleapis.com", **payload},
        resource={"type": "service_account", "labels": {"email_id": SA}},
    )


class TestKeys:
    uid = f"gcp:key/projects/-/serviceAccounts/{SA}/keys/4b1f"
    made: dict[str, Any] = {"response": {"name": f"projects/p/serviceAccounts/{SA}/keys/4b1f"}}

    def test_a_key_and_its_use_have_one_name(self):
        (grant,) = granted(key_call("CreateServiceAccountKey", **self.made))
        used = {
            "principalEmail": SA,
            "serviceAccountKeyName": f"//iam.googleapis.com/projects/p/serviceAccounts/{SA}/keys/4b1f",
        }
        assert grant["child_uid"] == read([entry(auth=used)])[0]["credential_uid"] == self.uid
        assert (grant["parent_uid"], grant["principal"]) == ("gcp:user/a@x.example", f"gcp:sa/{SA}")

    def test_a_key_for_another_account_is_asserted(self):
        assert granted(key_call("CreateServiceAccountKey", **self.made))[0]["strength"] == "asserted"
        assert granted(key_call("CreateServiceAccountKey", SA, **self.made))[0]["strength"] == "proven"

    @pytest.mark.parametrize(
        ("end", "expires"),
        [
            ({"valid_before_time": {"seconds": 253402300799}}, None),
            ({"valid_before_time": {"seconds": 1798761600}}, datetime(2027, 1, 1)),
            ({"validBeforeTime": "9999-12-31T23:59:59Z"}, None),
            ({"validBeforeTime": "2027-01-01T00:00:00Z"}, datetime(2027, 1, 1)),
            ({"valid_before_time": {"seconds": 1e300}}, None),
        ],
    )
    def test_expiry(self, end: dict[str, Any], expires: datetime | None):
        event = key_call("CreateServiceAccountKey", response={**self.made["response"], **end})
        assert granted(event)[0]["expires_at"] == expires

    @pytest.mark.parametrize("method", ["DeleteServiceAccountKey", "DisableServiceAccountKey"])
    @pytest.mark.parametrize("account", [SA, "1100"])
    def test_ending_a_key(self, method: str, account: str):
        event = key_call(method, resourceName=f"projects/-/serviceAccounts/{account}/keys/4b1f")
        (grant,) = granted(event)
        assert (grant["kind"], grant["child_uid"], grant["parent_uid"]) == ("revoke", self.uid, None)

    def test_ending_an_account(self):
        (grant,) = granted(key_call("DisableServiceAccount"))
        assert (grant["kind"], grant["child_uid"]) == ("revoke", f"gcp:sa/{SA}")


def test_a_persons_oauth_client_is_asserted():
    auth = {"principalEmail": "a@x.example", "oauthInfo": {"oauthClientId": "c1.apps.googleusercontent.com"}}
    (grant,) = granted(entry(auth=auth))
    assert grant["parent_uid"] == "oauth:client/accounts.google.com#c1.apps.googleusercontent.com"
    assert grant["child_uid"] == "gcp:oauth/c1.apps.googleusercontent.com/a@x.example"
    assert (grant["delegator"], grant["strength"]) == ("gcp:user/a@x.example", "asserted")
