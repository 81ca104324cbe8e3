"""What cloudsync takes from its surroundings instead of a file: environment variables and the user's directories.

=======================  ==========================================================================================
CLOUDSYNC_STATE_DIR      The directory of the state of mirrors that are run without a configuration file. By default
                         `cloudsync` in the user's state directory (`$XDG_STATE_HOME`, `~/.local/state`).
=======================  ==========================================================================================

References like `${env:NAME}` are read in `cloudsync_core.config.secrets`; providers' own variables, by their plugins.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path

import platformdirs

from cloudsync_core.errors import ConfigError, printable

STATE_DIR = "CLOUDSYNC_STATE_DIR"


def local_path(text: str, directory: Path) -> Path:
    """Return the path that a user wrote: `~/` is the home directory, and a relative one is relative to `directory`.

    Raises:
        ConfigError: there is no home directory.
    """
    if text != "~" and not text.startswith("~/"):
        return directory / text
    try:
        return Path.home() / text[2:]
    except RuntimeError:
        raise ConfigError("'~' stands for the home directory, and there is none", hint="set HOME") from None


def default_state_path(source: str, target: str, *, environ: Mapping[str, str] | None = None) -> Path:
    """Return the state database of a mirror that has no configuration file; its directory exists, for its owner only.

    Args:
        source: the location of the source, as its backend writes it.
        target: likewise.
        environ: the environment; by default the process's.

    Raises:
        ConfigError: the directory cannot be made.
    """
    named = (os.environ if environ is None else environ).get(STATE_DIR)
    directory = local_path(named, Path.cwd()) if named else platformdirs.user_state_path("cloudsync")
    key = hashlib.sha256(json.dumps([source, target]).encode()).hexdigest()[:16]
    path = directory / f"{key}.db"
    prepare_state_directory(path)
    return path


def prepare_state_directory(state: Path) -> None:
    """Make the directory of a state database, readable for its owner only; one that exists is left as it is.

    Raises:
        ConfigError: the directory cannot be made.
    """
    try:
        state.parent.parent.mkdir(parents=True, exist_ok=True)
        state.parent.mkdir(mode=0o700, exist_ok=True)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "no valid path"
        raise ConfigError(
            f"{printable(str(state.parent))}: the directory of the state database cannot be made: {reason}",
            hint=f"name another place by 'state:' in the configuration, --state, or {STATE_DIR}",
        ) from error
