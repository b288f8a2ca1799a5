import json
import os
import re
import stat
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.formats.format import Secret
from pipelines.formats.secrets import GENERAL, lake_key, mark, redact

KEY = b"k" * 32
JWT = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl"


def redacted(*rows: str | None, patterns: tuple[Secret, ...] = (), key: bytes = KEY) -> list[str | None]:
    column = pa.array(rows, pa.string())
    once = redact(column, key, patterns)
    assert once.type == column.type
    assert redact(once, key, patterns).to_pylist() == once.to_pylist(), "redacting once more changes something"
    return once.to_pylist()


SECRETS = {
    "jwt": (f"x {JWT} y", JWT),
    "bearer": (f"Authorization: Bearer {JWT}", JWT),
    "opaque bearer": ("authorization: bearer abcdef0123456789", "abcdef0123456789"),
    "bearer in a URL-encoded field": ('"Authorization:%20Bearer%20ya29.a0AfB_byExample"', "ya29.a0AfB_byExample"),
    "basic": ("Proxy-Authorization: Basic c3ZjOmh1bnRlcjI=", "c3ZjOmh1bnRlcjI="),
    "github": ("token ghp_0123456789abcdefghijABCDEFGHIJ012345", "ghp_0123456789abcdefghijABCDEFGHIJ012345"),
    "github fine-grained": ("github_pat_11AAAAAAA0123456789_abcdef", "github_pat_11AAAAAAA0123456789_abcdef"),
    "slack": ("xoxb-123456789012-abcdefghij", "xoxb-123456789012-abcdefghij"),
    "model key": ("sk-ant-api03-abcdefghij0123456789", "sk-ant-api03-abcdefghij0123456789"),
    "user info": ("CONNECT https://svc:hunter2@proxy.example:3128", "hunter2"),
    "access_token": ("GET https://a.example/x?y=1&access_token=abc HTTP/1.1", "abc"),
    "sig": ("https://b.example/?sv=2024&sig=abc%2Fdef%3D&se=1", "abc%2Fdef%3D"),
    "presigned": ("https://b.example/k?X-Amz-Signature=deadbeef&X-Amz-Date=1", "deadbeef"),
    "session token in a URL": ("https://b.example/k?X-Amz-Security-Token=IQoJ%2F%2F", "IQoJ%2F%2F"),
    "authorization header of AWS": ("AWS4-HMAC-SHA256 Credential=AKIA1/20260101, Signature=fe5f80", "fe5f80"),
    "code, upper case": ("/callback?CODE=4%2F0Ab&state=s", "4%2F0Ab"),
    "nested URL": ("/go?u=https%3A%2F%2Fa.example%3Ftoken%3Dabc", "abc"),
    "escaped ampersand": ('{"u":"https://a.example/?client_secret=abc\\u0026x=1"}', "abc"),
    "session token": ('{"accessKeyId":"ASIAEXAMPLE","sessionToken":"IQoJb3JpZ2lu"}', "IQoJb3JpZ2lu"),
    "secret key": ('{"secretAccessKey" : "wJalrXUtnFEMI/K7MDENG"}', "wJalrXUtnFEMI/K7MDENG"),
    "json in json": ('{"m":"{\\"password\\":\\"hunter2\\"}"}', "hunter2"),
    "private key": ("-----BEGIN PRIVATE KEY-----\nMIIEvQ\n-----END PRIVATE KEY-----", "\nMIIEvQ\n"),
    "session token under an escaped name": ('{"session\\u0054oken":"IQoJb3JpZ2lu","x":"y"}', "IQoJb3JpZ2lu"),
    "secret in a record that was cut off": ('{"a":{"sessionToken":"IQoJb3JpZ2lu', "IQoJb3JpZ2lu"),
    "token as the user of a URL": ("https://0a1b2c3d4e5f60718293@git.example/x", "0a1b2c3d4e5f60718293"),
    "auth": ("GET /feed?auth=abc&x=1", "abc"),
    "session cookie in a URL": ("GET /x;jsessionid=0A1B2C HTTP/1.1", "0A1B2C"),
    "azure connection string": ("Endpoint=x;SharedAccessKey=abc123=;EntityPath=y", "abc123="),
}


class TestSecrets:
    @pytest.mark.parametrize("kind", sorted(SECRETS))
    def test_is_replaced_by_its_hmac_and_nothing_else_changes(self, kind: str) -> None:
        text, secret = SECRETS[kind]
        assert redacted("before", text, None) == ["before", text.replace(secret, mark(secret, KEY)), None]

    def test_hmac_is_of_the_lake_s_key(self) -> None:
        assert re.fullmatch(r"hmac:[0-9a-f]{32}", mark("hunter2", KEY))
        assert mark("hunter2", KEY) != mark("hunter2", b"l" * 32)

    def test_equal_secrets_are_joinable_however_they_are_spelled(self) -> None:
        url, header, escaped = redacted(
            "GET /?access_token=a%2Fb%3D0123456789abcdef",
            "Authorization: Bearer a/b=0123456789abcdef".replace("b=", "b0"),
            '{"access_token":"a\\/b=0123456789abcdef"}',
        )
        assert url is not None
        assert escaped is not None
        assert header is not None
        assert url.split("=")[1] == json.loads(escaped)["access_token"]
        assert "hmac:" in header

    def test_formats_add_their_own(self) -> None:
        own = Secret(r"pin (\d+)")
        assert redacted("pin 1234", patterns=(own,)) == [f"pin {mark('1234', KEY)}"]
        assert redacted("pin 1234") == ["pin 1234"]

    def test_large_strings_stay_large(self) -> None:
        column = pa.array(["?token=abc"], pa.large_string())
        assert redact(column, KEY, ()).type == pa.large_string()

    def test_without_secrets_the_very_same_column_comes_back(self) -> None:
        column = pa.array(["plain", None])
        assert redact(column, KEY, ()) is column


IDENTIFIERS = [
    '{"accessKeyId":"AKIAIOSFODNN7EXAMPLE"}',
    '{"userIdentity":{"principalId":"AROAEXAMPLEID:session-name","accessKeyId":"ASIAEXAMPLE123456789"}}',
    '{"eventID":"5f2c8b1e-0000-4000-8000-1234567890ab","requestID":"ABCDEF0123456789","sharedEventID":"x"}',
    '{"uuid":"d3b07384-d9a0-4c9b-8f6e-000000000000","externalSessionId":"102abcDEF","transaction":{"id":"Wx1"}}',
    '{"jti":"AT.0123456789abcdefghijklmnop","client_id":"0oa1support","sub":"00u1"}',
    '{"hashed_token":"u8v3d2b1aGFzaA==","token_id":123456,"programmatic_access_type":"OAuth"}',
    '{"client_token":"hmac-sha256:0123456789abcdef","accessor":"hmac-sha256:ffff","entity_id":"e-1"}',
    '{"requestParameters":{"roleSessionName":"agent-7","key":"cases/1.json","bucketName":"b"}}',
    '{"api_key":"88dc28d0f030c55ed4ab77ed8faf098196cb1c05df778539800c9f1243fe6b4b"}',
    '{"serialNumber":"1a:2b","credentialId":"cred-1","tokenIssueTime":"2026-01-01"}',
    "1700000000.123 45 10.0.0.5 TCP_TUNNEL/200 5120 CONNECT api.example:443 svc-agents HIER_DIRECT/192.0.2.7 -",
    "arn:aws:sts::111122223333:assumed-role/agent/run-1234567890abcdefghij",
    "task-0123456789abcdefghijklmnop risk-assessment-of-everything-here",
    "Bearer authentication required; basic authentication failed",
    '{"caf\\u00e9":"plain","a\\u0026b":"plain"}',
    "ssh://git@code.example/x author=1 compass=2 inside=3",
    "signatureVersion=4 monkey=1 barcode=2 tagKey=3",
]


@pytest.mark.parametrize("text", IDENTIFIERS)
def test_identifiers_that_stitching_needs_survive(text: str) -> None:
    assert redacted(text) == [text]


class TestHostileText:
    @settings(max_examples=300, deadline=None)
    @given(
        st.lists(
            st.sampled_from(
                ["Bearer ", JWT, "eyJ", "token=", "&", "?code=", "://u:", "@", '"password"', ':"', '"', "\\", "\\u00",
                 "hmac:", "0" * 32, "ghp_", "a" * 25, "sk-", "-----BEGIN PRIVATE KEY-----", "-----END", " ", "%3D", ";"]
            )
            | st.text(max_size=4),
            max_size=12,
        )
    )  # fmt: skip
    def test_redacting_twice_changes_nothing(self, parts: list[str]) -> None:
        redacted("".join(parts).encode(errors="replace").decode())

    @settings(max_examples=300, deadline=None)
    @given(
        st.dictionaries(
            st.sampled_from(["password", "sessionToken", "url", "note", "cookie", "m"]),
            st.lists(
                st.sampled_from(
                    ["Bearer ", JWT, "?token=", "&sig=", "https://u:p", "@h", '"', "\\", "\n", "é", "\ud83d\ude00", "/",
                     '{"password":"a\\"b"}', "-----BEGIN PRIVATE KEY-----\nx\n-----END PRIVATE KEY-----", "<"]
                ),
                max_size=6,
            ).map("".join),
        ),
        st.booleans(),
    )  # fmt: skip
    def test_json_stays_json_with_the_same_members(self, record: dict[str, str], ascii_only: bool) -> None:
        record = {key: value.encode("utf-16", "surrogatepass").decode("utf-16") for key, value in record.items()}
        for nested in (record, {"m": json.dumps(record)}):
            text = json.dumps(nested, ensure_ascii=ascii_only)
            for patterns in ((), (Secret(r"(b.*c)"),)):
                (got,) = redacted(text, patterns=patterns)
                assert got is not None
                assert json.loads(got).keys() == nested.keys()

    def test_costs_no_more_than_its_length(self) -> None:
        rows = [
            "eyJ-" * 500_000, "-----BEGIN PRIVATE KEY-----" * 70_000, "://a" * 500_000, "Bearer " * 250_000,
            "?token=" * 250_000, "\\" * 1_000_000 + '"password":"' * 10_000, "://" + "a:" * 500_000,
        ]  # fmt: skip
        started = time.process_time()
        redact(pa.array(rows), KEY, ())
        assert time.process_time() - started < 20

    def test_general_patterns_have_a_group_and_their_hints_fit(self) -> None:
        for general in GENERAL:
            assert re.compile(general.secret.pattern).groups == 1
            assert all(general.hints)


class TestLakeKey:
    def test_is_made_once_and_for_its_owner_alone(self, tmp_path: Path) -> None:
        path = tmp_path / "lake" / "key"
        key = lake_key(path)
        assert len(key) == 32
        assert lake_key(path) == key
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert os.listdir(path.parent) == ["key"]

    def test_two_that_start_at_once_get_the_same(self, tmp_path: Path) -> None:
        with ThreadPoolExecutor(8) as pool:
            assert len(set(pool.map(lake_key, [tmp_path / "key"] * 32))) == 1

    def test_damaged_or_open_key_is_refused(self, tmp_path: Path) -> None:
        path = tmp_path / "key"
        path.write_bytes(b"short")
        path.chmod(0o600)
        with pytest.raises(ValueError, match="5 bytes, not 32"):
            lake_key(path)
        path.write_bytes(b"k" * 32)
        path.chmod(0o644)
        with pytest.raises(ValueError, match="chmod 600"):
            lake_key(path)


@pytest.mark.parametrize(
    "line",
    [
        "1.0 1 10.0.0.1 TCP_MISS/200 1 GET http://a.example/bearer svc-agents-prod-0123456789 HIER_DIRECT/192.0.2.1 -",
        "1.0 1 10.0.0.1 TCP_MISS/200 1 GET http://a.example/?q=basic svc-agents-prod-0123456789 HIER_DIRECT/192.0.2.1 -",
        "1.0 1 10.0.0.1 TCP_MISS/200 1 GET http://a.example/ basic HIER_DIRECT/192.0.2.100 text/html",
        "1.0 1 10.0.0.1 TCP_MISS/200 1 GET http://a.example/authorization: svc-agents-prod-0123456789 HIER_NONE/- -",
    ],
)
def test_a_url_cannot_hide_the_field_behind_it(line: str) -> None:
    assert redact(pa.array([line]), KEY, (), spaced=True).to_pylist() == [line]
