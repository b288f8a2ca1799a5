"""The demo world: small, fixed and told event by event."""
