"""The types of destination: every module here that defines `DESTINATION` is one."""
