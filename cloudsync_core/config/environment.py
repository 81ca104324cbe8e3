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

from cloudsync_core.errors import ConfigError
from cloudsync_core.location import Location

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
    """Return where the state of a mirror lives that has no configuration file; nothing is made.

    The same two places share a file, from whatever working directory they are named.

    Args:
        source: the location of the source, as the user wrote it.
        target: likewise.
        environ: the environment; by default the process's.

    Raises:
        ConfigError: a path begins with `~`, and there is no home directory.
    """
    named = (os.environ if environ is None else environ).get(STATE_DIR)
    directory = local_path(named, Path.cwd()) if named else platformdirs.user_state_path("cloudsync")
    places = [_absolute(text) for text in (source, target)]
    return directory / f"{hashlib.sha256(json.dumps(places).encode()).hexdigest()[:16]}.db"


def _absolute(text: str) -> str:
    location = Location.parse(text)
    if location.scheme != "file":
        return str(location)
    # Not resolved: a link that is pointed elsewhere tomorrow names another place then, and its base is checked anyway.
    return os.path.normpath(local_path(location.rest, Path.cwd()))
