"""Worlds with known truth, written in the real formats of logs."""
