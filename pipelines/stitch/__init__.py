"""Stage (b): grants to bindings, bindings to chains."""
