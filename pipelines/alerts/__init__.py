"""The outbox, its payloads and their delivery."""
