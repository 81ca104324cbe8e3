"""Where tests have the process die.

=======================  ==========================================================================================
CLOUDSYNC_CRASH_AT       A point of `cloudsync_core.crashpoints` at which the process ends, with nothing cleaned up.
=======================  ==========================================================================================
"""

from __future__ import annotations

import os
from collections.abc import Mapping

from cloudsync_core import crashpoints
from cloudsync_core.errors import ConfigError

CRASH_AT = "CLOUDSYNC_CRASH_AT"


def crash_where_told(environ: Mapping[str, str] | None = None) -> None:
    """Arm the point that the environment names, if it names one.

    Raises:
        ConfigError: there is no such point.
    """
    wanted = (os.environ if environ is None else environ).get(CRASH_AT)
    if not wanted:
        return
    try:
        crashpoints.arm(wanted)
    except ValueError as error:
        raise ConfigError(f"{CRASH_AT}: {error}") from None
