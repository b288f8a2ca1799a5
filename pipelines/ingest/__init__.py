"""Stage (a): pulled records to actions and grants, in batches of whole objects."""
