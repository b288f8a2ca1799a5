"""The `workertrail` program: runs the command, and turns what went wrong into a message and an exit code.

Nothing heavy is imported before `main` runs, so that an interruption is answered from the first second.
"""

from __future__ import annotations

import os
import sys

INTERRUPTED = 130
"""128 + SIGINT, as shells have it."""

PIPE_CLOSED = 141
"""128 + SIGPIPE: the reader of the output (`head`, say) wanted no more of it."""


def main() -> None:
    """Run the command; what is wrong goes to standard error, one line each, with exit code 1 or 2."""
    try:
        from pipelines.cli.root import run  # noqa: PLC0415 - see the module's head

        code = run()
        sys.stdout.flush()
    except KeyboardInterrupt:
        print("interrupted: what was committed stands, and the same command goes on from there", file=sys.stderr)
        code = INTERRUPTED
    except BrokenPipeError:
        # Python flushes standard output once more at its end, and would complain again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = PIPE_CLOSED
    sys.exit(code)
