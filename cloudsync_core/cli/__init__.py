"""The `cloudsync` command: one module a command."""
