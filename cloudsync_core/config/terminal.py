"""What the user's environment says about the terminal.

=======================  ==========================================================================================
NO_COLOR                 Set to anything: no colours (https://no-color.org).
TERM                     `dumb`: no colours, and lines instead of bars.
=======================  ==========================================================================================
"""

from __future__ import annotations

import os
from collections.abc import Mapping


def wants_colour(environ: Mapping[str, str] | None = None) -> bool:
    """Tell whether output to a terminal may be coloured."""
    environ = os.environ if environ is None else environ
    return not environ.get("NO_COLOR") and not is_dumb(environ)


def is_dumb(environ: Mapping[str, str] | None = None) -> bool:
    """Tell whether the terminal cannot move its cursor."""
    return (os.environ if environ is None else environ).get("TERM") == "dumb"
