"""Stage (c): judging, and writing findings, evidence and alerts."""
