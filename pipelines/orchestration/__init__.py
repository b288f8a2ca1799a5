"""Dagster's assets, checks, jobs, schedules and sensors: a thin shell; every step calls plain functions."""
