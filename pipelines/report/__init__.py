"""The HTML report: one file that needs no network, made from the lake at one snapshot."""
