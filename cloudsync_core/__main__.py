"""`python -m cloudsync_core` is the `cloudsync` command."""

from cloudsync_core.cli import main

if __name__ == "__main__":
    main()
