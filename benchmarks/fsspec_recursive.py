"""What fsspec's own filesystems do with a tree: `python fsspec_recursive.py SCHEME OPTIONS put|get SOURCE TARGET`."""

import json
import sys

import fsspec


def main() -> None:
    scheme, options, what, source, target = sys.argv[1:]
    files = fsspec.filesystem(scheme, **json.loads(options))
    # With a slash at its end the content of a folder is meant, not the folder.
    (files.put if what == "put" else files.get)(f"{source}/", f"{target}/", recursive=True)


if __name__ == "__main__":
    main()
