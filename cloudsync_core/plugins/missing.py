"""Why no backend serves a scheme, and what the user can do about it."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence

from packaging.utils import canonicalize_name

from cloudsync_core.errors import CloudSyncError, PluginIncompatibleError, PluginLoadError, UnknownBackendError
from cloudsync_core.plugins import known
from cloudsync_core.plugins.status import Plugin


def expected(scheme: str, plugins: Iterable[Plugin]) -> CloudSyncError | None:
    """Return the error for a scheme whose plugin is known and is not at work; `None` when none is known.

    A plugin that never came to register its schemes is recognised by its distribution, or by an entry point that
    is named as the scheme.
    """
    distribution = known.distributions().get(scheme)
    for plugin in plugins:
        status = plugin.status
        if not plugin.active and (status.name == scheme or canonicalize_name(status.distribution) == distribution):
            return _unusable(scheme, plugin)
    if distribution is None:
        return None
    return UnknownBackendError(
        f"no installed backend serves {scheme}://; {distribution} does", hint=f"pip install {distribution}"
    )


def unknown(scheme: str, plugins: Iterable[Plugin], schemes: Sequence[str]) -> UnknownBackendError:
    """Return the error for a scheme that nobody is known to serve."""
    near = difflib.get_close_matches(scheme, {*schemes, *known.distributions()}, n=1)
    guess = f"; did you mean {near[0]}://?" if near else ""
    hints = [f"installed backends serve {', '.join(f'{name}://' for name in schemes)}"]
    idle = [f"{plugin.status.label} is {plugin.status.status}" for plugin in plugins if not plugin.active]
    if idle:
        hints.append(f"not in use: {', '.join(idle)}; see 'cloudsync plugins list'")
    return UnknownBackendError(f"no backend serves {scheme}://{guess}", hint="\n  ".join(hints))


def _unusable(scheme: str, plugin: Plugin) -> CloudSyncError:
    status = plugin.status
    message = f"the plugin {status.label}, which serves {scheme}://, is {status.status}: {status.reason}"
    if status.status == "refused":
        return UnknownBackendError(message, hint=status.remedy)
    if status.status == "incompatible":
        return PluginIncompatibleError(message, hint=status.remedy)
    error = PluginLoadError(message, hint=status.remedy)
    error.__cause__ = plugin.cause
    return error
