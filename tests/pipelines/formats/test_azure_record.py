"""What Microsoft's formats have in common: envelopes, ids of tokens, secrets."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from pipelines.formats import all_formats
from tests.pipelines.formats.azure_events import (
    SP,
    TOKEN,
    activity,
    audit,
    granted,
    graph,
    pieces,
    read,
    redacted,
    sign_in,
    uti,
)

RECORDS = {"entra_signin": sign_in(), "entra_audit": audit(), "graph_activity": graph(), "azure_activity": activity()}
NAMES = sorted(RECORDS)


class TestTokenIds:
    @pytest.mark.parametrize(
        "written",
        [
            TOKEN,
            TOKEN.upper(),
            base64.b64encode(TOKEN.encode()).decode(),
            uti(TOKEN),
            uti(TOKEN) + "==",
            uti(TOKEN).replace("-", "+").replace("_", "/") + "==",
        ],
    )
    def test_every_spelling_is_one_id(self, written: str):
        (grant,) = granted("entra_signin", sign_in(uniqueTokenIdentifier=written))
        (call,) = read("graph_activity", [graph(signInActivityId=written)])
        (write,) = read("azure_activity", [activity(claims={"uti": written, "oid": SP})])
        assert grant["child_uid"] == call["credential_uid"] == write["credential_uid"] == f"azure:token/{TOKEN}"

    def test_the_known_example(self):
        """The id of a public sign-in record, its older base64 and the claim `uti` computed from it."""
        guid = "29dcc432-5e8a-4659-9f03-6ede18400300"
        for written in ("MjlkY2M0MzItNWU4YS00NjU5LTlmMDMtNmVkZTE4NDAwMzAw", "MsTcKYpeWUafA27eGEADAA"):
            assert (
                granted("entra_signin", sign_in(uniqueTokenIdentifier=written))[0]["child_uid"] == f"azure:token/{guid}"
            )

    @pytest.mark.parametrize("written", ["sign-in_ActivityId", "AAAA", "0" * 48, "!" * 22, "é" * 22])
    def test_what_is_no_guid_stays_as_it_is(self, written: str):
        assert (
            read("graph_activity", [graph(signInActivityId=written)])[0]["credential_uid"] == f"azure:token/{written}"
        )

    @pytest.mark.parametrize("written", ["", None, "00000000-0000-0000-0000-000000000000", {"a": 1}])
    def test_none_is_none(self, written: Any):
        assert read("graph_activity", [graph(signInActivityId=written)])[0]["credential_uid"] is None
        assert granted("entra_signin", sign_in(uniqueTokenIdentifier=written)) == []


class TestEnvelopes:
    @pytest.mark.parametrize("name", NAMES)
    @pytest.mark.parametrize(
        "form", ["{0}\n{0}\n", "[{0},{0}]", '{{"records":[{0},{0}]}}', '{{"@odata.context":"x","value":[{0},{0}]}}']
    )
    def test_every_container_gives_its_records(self, name: str, form: str):
        record = json.dumps(RECORDS[name])
        found = pieces(all_formats()[name], form.format(record).encode())
        assert [json.loads(piece) for piece in found] == [RECORDS[name]] * 2

    @pytest.mark.parametrize("name", ["entra_signin", "entra_audit", "graph_activity"])
    def test_properties_as_a_string_of_json(self, name: str):
        record = RECORDS[name]
        assert read(name, [record]) == read(name, [{**record, "properties": json.dumps(record["properties"])}])

    @pytest.mark.parametrize("name", NAMES)
    def test_keys_in_lower_case(self, name: str):
        lowered = {
            key.lower() if key not in ("properties", "identity") else key: value for key, value in RECORDS[name].items()
        }
        plain, same = read(name, [RECORDS[name], lowered])
        del plain["record_id"], same["record_id"]
        assert {**plain, "status": same["status"]} == same

    @pytest.mark.parametrize("name", NAMES)
    def test_what_is_no_object_is_an_error(self, name: str):
        records = ["{", "[]", "", "17", '"text"', '{"a":' * 2000]
        for row in read(name, records):
            assert row["outcome"] == "error"
            assert row["reason"].startswith("not a JSON object")
            assert {value for key, value in row.items() if key not in {"outcome", "reason", "record_id"}} == {None}
        assert granted(name, *records) == []

    @pytest.mark.parametrize("name", NAMES)
    def test_the_other_formats_records_are_skipped_with_a_reason(self, name: str):
        others = [record for other, record in RECORDS.items() if other != name]
        rows = read(name, others)
        assert {row["outcome"] for row in rows} == {"skipped"}
        assert all("categor" in row["reason"] for row in rows)


SAS = "https://cases.blob.core.windows.net/c/o?sv=2022-11-02&sp=r&sig=aHR0cHM6Ly9leGFtcGxl%3D"
PLANTED: dict[str, tuple[Any, str]] = {
    "signed url": (SAS, "aHR0cHM6Ly9leGFtcGxl%3D"),
    "connection string": (
        "DefaultEndpointsProtocol=https;AccountName=a;AccountKey=c2VjcmV0a2V5==;E=x",
        "c2VjcmV0a2V5==",
    ),
    "bus": ("Endpoint=sb://x/;SharedAccessKeyName=Root;SharedAccessKey=YnVza2V5=", "YnVza2V5="),
    "password": ({"properties": {"administratorLoginPassword": "hunter2hunter2"}}, "hunter2hunter2"),
    "custom data": ({"osProfile": {"customData": "Y2xvdWQtaW5pdA"}}, "Y2xvdWQtaW5pdA"),
    "listed keys": (
        {"keys": [{"keyName": "key1", "permissions": "Full", "value": "bGlzdGVkLWtleQ"}]},
        "bGlzdGVkLWtleQ",
    ),
    "client secret": ({"secretText": "8Q~s3cr3tvalue"}, "8Q~s3cr3tvalue"),
    "bearer": ("Authorization: Bearer eyJhbGciOiJub25lIn0.eyJzdWIiOiJ4In0.c2ln", "eyJzdWIiOiJ4In0"),
}


class TestSecrets:
    @pytest.mark.parametrize("name", NAMES)
    def test_planted_secrets_are_replaced(self, name: str):
        """In the record itself, and in the strings of JSON that requestbody, responseBody and newValue are."""
        kept = []
        for value, secret in PLANTED.values():
            for held in (value, json.dumps(value)):
                record = json.loads(json.dumps(RECORDS[name]))
                record.setdefault("properties", {})["requestbody"] = held
                raw = json.dumps(record)
                assert secret in raw
                kept.append(redacted(name, raw))
                assert secret not in kept[-1]
        assert {row["outcome"] for row in read(name, kept)} == {"action"}

    def test_a_signed_url_that_was_called_is_replaced_and_the_path_stays(self):
        raw = json.dumps(graph("https://graph.microsoft.com/v1.0/shares/x?sig=c2VjcmV0&access_token=eyJhbGciOi"))
        (row,) = read("graph_activity", [redacted("graph_activity", raw)])
        assert row["url_path"] == "/v1.0/shares/x"
        assert "c2VjcmV0" not in redacted("graph_activity", raw)

    @pytest.mark.parametrize("name", NAMES)
    def test_names_of_credentials_survive(self, name: str):
        record = json.loads(json.dumps(RECORDS[name]))
        record.setdefault("properties", {}).update(
            servicePrincipalCredentialKeyId="c1000000-0000-4000-8000-000000000001",
            servicePrincipalCredentialThumbprint="A1B2C3D4E5F60718293A4B5C6D7E8F9001122334",
            modifiedProperties=[
                {"displayName": "KeyDescription", "newValue": '["[KeyIdentifier=c1,KeyType=Password]"]'}
            ],
        )
        raw = json.dumps(record)
        assert redacted(name, raw) == raw
