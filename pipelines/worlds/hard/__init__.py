"""What makes logs hard to read: functions over frames, each with a rate of its own that the seed draws."""
