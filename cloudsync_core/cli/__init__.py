"""The `cloudsync` command: what the commands share here, and one module a command in `commands`."""

from __future__ import annotations

from cloudsync_core.cli.root import cli


def main() -> None:
    """Run the command line of this process, and exit with the code that docs/exit-codes.md gives it."""
    cli.main()
