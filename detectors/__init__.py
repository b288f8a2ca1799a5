"""Manifests, rules and models: what judges actions. Nothing here reads or writes but its own catalogue."""
