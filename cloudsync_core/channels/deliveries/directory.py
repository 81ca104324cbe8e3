"""Updates to files of a directory."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from cloudsync_core import content_types
from cloudsync_core.backends.file import FileBackend, FileOptions
from cloudsync_core.body import Body
from cloudsync_core.channels.deliveries.placeholders import Template
from cloudsync_core.channels.update import Update
from cloudsync_core.errors import BackendError, ConfigError, DeliveryError, InvalidKeyError, printable
from cloudsync_core.keys import is_marker
from cloudsync_core.location import Location
from cloudsync_core.models import Attributes

NAME: Final = "{topic}/{id}{suffix}"
"""What the file of an update is called, where nothing else is asked for."""

PLACEHOLDERS: Final = ("topic", "id", "publisher", "name", "suffix")

FILENAME: Final = "filename"
"""The metadata that holds the name which the publisher would give to the file."""

_MICROSECOND_NS: Final = 1000


class DirectoryDelivery:
    """Writes the content of each update to a file of its own, at once and whole; its time is that of the update.

    A reader of the directory sees a file with all of its content or none. A second delivery of an update writes the
    same file again. Two updates that the template gives one name replace each other: names with `{id}` are unique.

    Args:
        path: the directory, made when the first update comes.
        name: the path of a file in it: a text with the placeholders `{topic}`, `{id}`, `{publisher}`, `{name}` and
            `{suffix}`. `{name}` is the last segment of the update's metadata "filename", else the id with a suffix;
            `{suffix}` is the suffix of that file name, else one by the content type, with its dot.

    Raises:
        ConfigError: the path is no directory, a placeholder is unknown, or the name is one that no file can have,
            whatever the update.
    """

    def __init__(self, path: str | Path, name: str = NAME) -> None:
        self._template = Template(name, PLACEHOLDERS, "the name of the files of a directory delivery")
        if Path(path).exists() and not Path(path).is_dir():
            raise ConfigError(f"directory {printable(str(path))}: it is no directory")
        self._backend = FileBackend(Location("file", str(path)), FileOptions(create=True))
        self._path = str(path)
        self._check(name)

    def __call__(self, update: Update) -> None:
        """Write the file of an update. See `Deliverer`."""
        key = self._template.fill(values(update))
        moment = round(update.created * 1_000_000) * _MICROSECOND_NS
        try:
            self._backend.put(key, Body(update.chunks(), update.size), attributes=Attributes(mtime_ns=moment))
        except BackendError as error:
            if error.location != self._backend.location:
                raise
            retry = not isinstance(error, InvalidKeyError)
            raise DeliveryError(str(error), retry=retry) from error

    def close(self) -> None:
        """Close the directory."""
        self._backend.close()

    def _check(self, name: str) -> None:
        """Refuse what would be no name of a file whatever the update."""
        key = self._template.fill(dict.fromkeys(PLACEHOLDERS, "x"))
        why = "it ends in a slash" if is_marker(key) else None
        try:
            self._backend.check_key(key)
        except InvalidKeyError as error:
            why = error.reason
        if why is not None:
            raise ConfigError(
                f"{self.describe()}: no file in it can have the name {printable(name)!r}: {why}",
                hint="The name is a path in the directory, such as {topic}/{id}{suffix}.",
            )

    def describe(self) -> str:
        """Return the path of the directory."""
        return f"directory {printable(self._path)}"


def values(update: Update) -> dict[str, str]:
    """Return what the placeholders stand for."""
    given = _file_name(update)
    suffix = content_types.suffix(update.content_type) if given is None else Path(given).suffix
    return {
        "topic": update.topic,
        "id": update.id,
        "publisher": update.publisher,
        "name": f"{update.id}{suffix}" if given is None else given,
        "suffix": suffix,
    }


def _file_name(update: Update) -> str | None:
    """Return the name that the publisher would give to the file, if it is one: no path leads anywhere."""
    name = update.metadata.get(FILENAME, "").replace("\\", "/").rpartition("/")[2]
    return name if name.isprintable() and name not in {"", ".", ".."} else None
