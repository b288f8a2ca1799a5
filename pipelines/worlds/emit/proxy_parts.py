"""SQL that the second formats of proxies share: addresses of servers, and moments as these proxies write them."""

from __future__ import annotations

SERVER = """CASE WHEN regexp_matches(host, '^[0-9.]+$') THEN host ELSE
    '198.51.' || (100 + ('0x' || substr(md5(host), 1, 4))::INTEGER % 100) || '.'
    || (1 + ('0x' || substr(md5(host), 5, 4))::INTEGER % 250) END"""
"""A server's address, the same one for a host in the whole world."""

PORT = "coalesce(port, CASE WHEN method = 'CONNECT' OR scheme = 'https' THEN 443 ELSE 80 END)"

REACHED = "decision NOT IN ('denied', 'cached')"
"""Whether the proxy went to the server."""

TARGET = f"""CASE WHEN method = 'CONNECT' THEN host || ':' || {PORT}
    ELSE coalesce(scheme, 'http') || '://' || host || CASE WHEN {PORT} IN (80, 443) THEN '' ELSE ':' || {PORT} END
         || replace(coalesce(path, '/'), ' ', '%20') END"""
"""The target of a request line to a forward proxy."""

CLOCK_MS = "printf('%03d', epoch_ms(logged_at) % 1000)"


def escaped(text: str, mark: str, characters: str) -> str:
    """SQL of a text in which these characters stand as `mark` and two hex digits."""
    for character in characters:
        quoted = "''''" if character == "'" else f"chr({ord(character)})"
        text = f"replace({text}, {quoted}, '{mark}{ord(character):02X}')"
    return text
