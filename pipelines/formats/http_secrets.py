"""Where the lines of any proxy can hold secrets: in the URLs that their callers sent."""

from __future__ import annotations

from pipelines.formats.format import Secret

TOKEN_NAMES = (
    "access_token|id_token|refresh_token|token|auth_token|session_token|sessionid|session|sid|jwt|auth|authorization"
    "|sig|signature|x-amz-signature|x-amz-security-token|x-goog-signature|code|assertion|client_assertion|samlresponse"
    "|client_secret|secret|secret_key|api[_-]?key|apikey|key|subscription-key|password|passwd|passphrase|pwd|pass"
)
"""Parameters of queries whose values are secrets."""

SECRET_HEADERS = frozenset(
    {
        "authorization", "proxy-authorization", "cookie", "set-cookie", "x-api-key", "api-key", "x-auth-token",
        "x-amz-security-token",
    }
)  # fmt: skip
"""Headers that hold secrets, whoever sends them."""

URLS = (
    Secret(rf"(?i)(?:[?&;#]|%3f|%26)(?:{TOKEN_NAMES})(?:=|%3d)([^&\s\"'#;\[\]]+)"),
    Secret(r"://[^/\s:@?#\"]*:([^/\s?#\"]+)@"),
    Secret(r"://([^/\s:@?#\"]+)@"),
)
"""Parameters of queries, and what stands before the host."""
