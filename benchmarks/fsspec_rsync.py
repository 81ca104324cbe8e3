"""`fsspec.generic.rsync` as a program: `python fsspec_rsync.py ENDPOINT SOURCE TARGET [--delete]`."""

import sys

import fsspec
from fsspec.generic import GenericFileSystem, rsync


def main() -> None:
    endpoint, source, target, *rest = sys.argv[1:]
    # The generic file system finds this instance by its protocol.
    fsspec.filesystem("s3", endpoint_url=endpoint)
    rsync(source, target, delete_missing="--delete" in rest, fs=GenericFileSystem(default_method="current"))


if __name__ == "__main__":
    main()
