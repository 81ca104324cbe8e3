"""One module a command; `cloudsync_core.cli.root` imports the one that is called, and no other."""
