"""The workertrail command: a module here that defines a command adds it."""
