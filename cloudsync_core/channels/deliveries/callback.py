"""Updates to a function of Python."""

from __future__ import annotations

import importlib
import inspect
import traceback
from collections.abc import Callable
from pathlib import Path

from cloudsync_core.channels.update import Update
from cloudsync_core.errors import CloudSyncError, ConfigError, DeliveryError, printable


class CallbackDelivery:
    """Calls a function of the installed environment with each update; what it returns is ignored.

    Whatever it raises is a failure of the delivery. A `DeliveryError` that it raises says by `retry` whether another
    attempt can succeed.

    Args:
        function: "module:function" or "module:object.method". It is imported here.

    Raises:
        ConfigError: it cannot be imported, or is nothing that can be called and has then done its work.
    """

    def __init__(self, function: str) -> None:
        self._name = function
        self._call = _imported(function)

    def __call__(self, update: Update) -> None:
        """Call the function. See `Deliverer`."""
        try:
            self._call(update)
        except CloudSyncError:
            # Its own judgement, or trouble of the channel while it read the content.
            raise
        except (Exception, SystemExit) as error:
            # What a function takes for its own end is not that of the subscriber.
            place = _place(error)
            raise DeliveryError(
                f"{self.describe()} raised {type(error).__name__}{f' at {place}' if place else ''}: {error}"
            ) from error

    def close(self) -> None:
        """Nothing is held."""

    def describe(self) -> str:
        """Return the name of the function."""
        return f"callback {printable(self._name)}"


def _imported(name: str) -> Callable[[Update], object]:
    module_name, _, path = name.partition(":")
    shown = f"callback {printable(name)}"
    if not all(part.isidentifier() for part in (*module_name.split("."), *path.split("."))):
        raise ConfigError(f"{shown}: write module:function")
    try:
        found: object = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{module_name}.".startswith(f"{error.name}."):
            raise _broken(shown, module_name, error) from error
        raise ConfigError(
            f"{shown}: there is no module {printable(error.name)}",
            hint="It is looked for among what is installed beside cloudsync, and in the folders of PYTHONPATH.",
        ) from None
    except (Exception, SystemExit) as error:
        raise _broken(shown, module_name, error) from error
    at = module_name
    for part in path.split("."):
        try:
            found = getattr(found, part)
        except AttributeError:
            raise ConfigError(f"{shown}: {at} has no {printable(part)}") from None
        at = f"{at}.{part}"
    return checked(found, shown)


def checked(found: object, shown: str) -> Callable[[Update], object]:
    """Return what was found, if it is a function that has done its work when it returns.

    Args:
        found: by a name, or given by a program.
        shown: how messages name it.

    Raises:
        ConfigError: it is none.
    """
    if not callable(found):
        raise ConfigError(f"{shown}: it cannot be called, it is a {type(found).__name__}")
    late = (inspect.iscoroutinefunction, inspect.isgeneratorfunction, inspect.isasyncgenfunction)
    if any(is_late(called) for is_late in late for called in (found, type(found).__call__)):
        # To call it would do nothing, and the update would count as delivered.
        raise ConfigError(
            f"{shown}: it returns before it has done anything",
            hint="Give a plain function, which may use asyncio.run; not one with 'async def' or 'yield'.",
        )
    return found


def _broken(shown: str, module: str, error: BaseException) -> ConfigError:
    place = _place(error)
    return ConfigError(
        f"{shown}: the module {printable(module)} cannot be imported: "
        f"{type(error).__name__}{f' at {place}' if place else ''}: {printable(str(error))}"
    )


def _place(error: BaseException) -> str | None:
    """Return the file and line at which an error was raised, where it was raised by code of others."""
    if isinstance(error, SyntaxError) and error.filename:
        return f"{printable(error.filename)}:{error.lineno}"
    frames = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if not frame.filename.startswith("<") and frame.filename != __file__
    ]
    own = [frame for frame in frames if Path(frame.filename) != Path(importlib.__file__)]
    return f"{printable(own[-1].filename)}:{own[-1].lineno}" if own else None
