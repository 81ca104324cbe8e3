"""Which distribution serves a scheme, known without its being installed."""

from __future__ import annotations

import functools
import importlib.resources
import tomllib


@functools.cache
def distributions() -> dict[str, str]:
    """Return the distribution that serves each known scheme, by scheme."""
    text = importlib.resources.files(__package__).joinpath("known.toml").read_text(encoding="utf-8")
    return {scheme: name for name, entry in tomllib.loads(text).items() for scheme in entry["schemes"]}
