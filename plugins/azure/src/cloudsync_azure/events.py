"""What the messages of a queue that Event Grid fills say: which objects may have changed. Nothing is asked of anybody.

Events come in Event Grid's own schema and in that of CloudEvents 1.0, as JSON or as base64 of it
(https://learn.microsoft.com/azure/event-grid/event-schema-blob-storage). The subject of an event holds the object's
name as it is, and not as a URL has it; but characters beyond U+FFFF arrive as U+FFFD
(Azure-Samples/azure-event-grid-viewer#9).
"""

from __future__ import annotations

import base64
import collections
import dataclasses
import json
import logging
import re
import threading
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final
from urllib.parse import unquote, urlsplit

from cloudsync_core import keys
from cloudsync_core.backend import Prune
from cloudsync_core.errors import printable

_LOG = logging.getLogger(__name__)

OF_STORAGE: Final = "Microsoft.Storage."
"""What the types of all events of storage accounts begin with."""

TYPES: Final = tuple(
    OF_STORAGE + name
    for name in (
        "BlobCreated",
        "BlobDeleted",
        "BlobRenamed",
        "DirectoryCreated",
        "DirectoryDeleted",
        "DirectoryRenamed",
    )
)
"""The types of the events that tell of changes of content; the last four come from hierarchical namespaces alone."""

NO_JSON: Final = "it is no JSON, nor base64 of it"
NO_EVENT: Final = "it is no event of Event Grid"
FOREIGN: Final = "it is an event of something else than a storage account"

_OF_EVENT_GRID = "Microsoft.EventGrid."
_SUBJECT = re.compile(r"/blobServices/[^/]+/containers/(?P<container>[^/]+)/blobs/(?P<name>.+)", re.DOTALL)
_ACCOUNT = re.compile(r"/storageAccounts/(?P<account>[^/]+)", re.IGNORECASE)
_LOST = "\ufffd"
"""What stands in an event for a character that it cannot say."""


class UnreadableError(ValueError):
    """A message is none of ours; the text is one of this module's reasons."""


@dataclasses.dataclass(frozen=True, slots=True)
class Change:
    """One name that an event tells of.

    Attributes:
        account: the storage account; empty where the event does not say.
        container: in it.
        name: the whole name of an object, or of a folder with a slash at its end.
        is_folder: everything below the name may have changed; an object's name can end in a slash, too.
        sequencer: grows with each event of one name; empty where there is none.
    """

    account: str
    container: str
    name: str
    is_folder: bool = False
    sequencer: str = ""


def parse(text: str) -> tuple[Change, ...]:
    """Return what a message tells of; nothing where it is an event that changes no object.

    Raises:
        UnreadableError: it is none of ours.
    """
    found = _decoded(text)
    events = found if isinstance(found, list) else [found]
    if not events:
        raise UnreadableError(NO_EVENT)
    return tuple(change for event in events for change in _changes(event))


@dataclasses.dataclass(frozen=True, slots=True)
class Scope:
    """What of an account is watched.

    Attributes:
        account: its name.
        container: the container's.
        root: what every whole key starts with: "", or a prefix with a slash at its end.
        prune: tells of a folder (without trailing slash) that nothing under it is wanted.
    """

    account: str
    container: str
    root: str
    prune: Prune | None = None

    def within(self, changes: Iterable[Change]) -> Iterator[Change]:
        """Yield those of the changes that concern what is watched, by names relative to the root.

        An empty name is that of everything: a folder that it all lies in was moved or removed.
        """
        for change in changes:
            if change.container != self.container or change.account not in {"", self.account}:
                continue
            name, is_folder = change.name, change.is_folder
            if _LOST in name:
                # Which object it is cannot be told, but the folder that it lies in.
                name, is_folder = name[: name[: name.index(_LOST)].rfind("/") + 1], True
            if is_folder and self.root.startswith(name):
                yield dataclasses.replace(change, name="", is_folder=True)
            # The marker of the root is no object of it.
            elif name.startswith(self.root) and name != self.root:
                relative = name.removeprefix(self.root)
                if self._is_wanted(relative, is_folder=is_folder):
                    yield dataclasses.replace(change, name=relative, is_folder=is_folder)

    def _is_wanted(self, name: str, *, is_folder: bool) -> bool:
        if (why := keys.problem(name)) is not None:
            _LOG.warning("%s: %s; changes of it are not heard of", printable(name), why)
            return False
        if self.prune is None:
            return True
        folders = keys.parents(name) + ([name.removesuffix("/")] if is_folder else [])
        return not any(map(self.prune, folders))


class Settled:
    """Remembers of some objects which of their events were acted on; used by many threads.

    Args:
        most: objects that are remembered; those that changed last.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._last: collections.OrderedDict[str, str] = collections.OrderedDict()
        self._lock = threading.Lock()

    def add(self, sequencers: Mapping[str, str]) -> None:
        """Remember that objects were looked at after these events of theirs, by name."""
        with self._lock:
            for name, sequencer in sequencers.items():
                if not _is_older(sequencer, self._last.get(name, "")):
                    self._last[name] = sequencer
                self._last.move_to_end(name)
            while len(self._last) > self._most:
                self._last.popitem(last=False)

    def __contains__(self, change: Change) -> bool:
        with self._lock:
            return _is_older(change.sequencer, self._last.get(change.name, ""))


def _is_older(sequencer: str, other: str) -> bool:
    """Tell whether an event came before another of the same object, or is that one.

    They are compared as texts, says Microsoft; that holds for texts of one length.
    """
    return bool(sequencer) and len(sequencer) == len(other) and sequencer <= other


def _decoded(text: str) -> Any:
    text = text.strip().removeprefix("\ufeff")
    try:
        if not text.startswith(("{", "[")):
            text = base64.b64decode("".join(text.split()), validate=True).decode("utf-8-sig")
        return json.loads(text)
    except (ValueError, RecursionError):
        raise UnreadableError(NO_JSON) from None


def _changes(event: object) -> Iterator[Change]:
    """Yield what one event tells of."""
    if not isinstance(event, Mapping):
        raise UnreadableError(NO_EVENT)
    kind, origin = ("type", "source") if "specversion" in event else ("eventType", "topic")
    name, subject, data = event.get(kind), event.get("subject"), event.get("data")
    if not isinstance(name, str) or not isinstance(subject, str):
        raise UnreadableError(NO_EVENT)
    if not name.startswith(OF_STORAGE):
        if name.startswith(_OF_EVENT_GRID):
            return
        raise UnreadableError(FOREIGN)
    match = _SUBJECT.fullmatch(subject)
    if match is None:
        # About an account, such as the end of an inventory.
        return
    said: Mapping[str, object] = data if isinstance(data, Mapping) else {}
    account = _ACCOUNT.search(str(event.get(origin, "")))
    of = account["account"].lower() if account else ""
    is_folder = name.startswith(OF_STORAGE + "Directory")
    sequencer = said.get("sequencer")
    # That of a folder says nothing of the objects in it.
    counted = sequencer if isinstance(sequencer, str) and not is_folder else ""
    yield Change(of, match["container"], _named(match["name"], is_folder=is_folder), is_folder, counted)
    if isinstance(moved := said.get("sourceUrl"), str):
        for container, source in _sources(moved):
            yield Change(of, container, _named(source, is_folder=is_folder), is_folder)


def _named(name: str, *, is_folder: bool) -> str:
    return name.removesuffix("/") + "/" if is_folder else name


def _sources(url: str) -> Iterator[tuple[str, str]]:
    """Yield what a URL can mean: whether it is encoded is not documented, and one hint too many is harmless."""
    # Not split as URLs are: a name that is not encoded may hold `?` and `#`.
    path = url.partition("://")[2].partition("/")[2]
    for text in dict.fromkeys((path, unquote(urlsplit(url).path[1:]))):
        container, slash, name = text.partition("/")
        if slash and name:
            yield container, name
