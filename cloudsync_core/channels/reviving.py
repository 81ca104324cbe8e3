"""Delivering once more what was parked, where somebody has asked for it."""

from __future__ import annotations

import dataclasses
import threading

from cloudsync_core.backend import Backend
from cloudsync_core.channels import envelope, names
from cloudsync_core.channels.cursors import Cursor
from cloudsync_core.channels.delivering import Delivery
from cloudsync_core.channels.scan import Listed, fetch
from cloudsync_core.channels.tables import Parked
from cloudsync_core.channels.topics import TopicFilter
from cloudsync_core.channels.update import Update
from cloudsync_core.errors import (
    CancelledError,
    CloudSyncError,
    DamagedUpdateError,
    ObjectNotFoundError,
    UnsupportedFormatError,
)


def revive(backend: Backend, cursor: Cursor, delivery: Delivery, wanted: TopicFilter, stop: threading.Event) -> None:
    """Deliver what is parked and asked for, in the order of the ids, each once; what fails stays parked.

    Raises:
        BackendError: the channel cannot be used, now or at all.
        StateError: what became of it cannot be saved.
    """
    for parked in cursor.to_retry():
        if stop.is_set():
            return
        parsed = names.parse_update(parked.key)
        assert not isinstance(parsed, str)
        try:
            updates = fetch(backend, Listed(parked.key, *parsed, size=0, modified_ns=0))
        except CloudSyncError as error:
            _not_read(cursor, delivery, parked, error)
            continue
        if parked.topic is None:
            found = [update for update in updates if wanted(update.topic)]
            # From here on each stands for itself, whatever happens to the process.
            each = [
                dataclasses.replace(parked, id=update.id, topic=update.topic, attempts=0, known=None)
                for update in found
            ]
            cursor.park(*each, instead_of=parked.id)
        else:
            found = [update for update in updates if update.id == parked.id]
            each = [parked] * len(found)
            if not found:
                cursor.park(instead_of=parked.id)
        for update, one in zip(found, each, strict=True):
            if stop.is_set():
                return
            _deliver(cursor, delivery, one, update)


def _deliver(cursor: Cursor, delivery: Delivery, parked: Parked, update: Update) -> None:
    error, _ = delivery.attempt(update, frozenset())
    if error is None:
        cursor.park(instead_of=parked.id)
        delivery.delivered(update)
    elif delivery.ends_the_pass(error) or isinstance(error, CancelledError):
        raise error
    else:
        delivery.park_again(parked, delivery.text(error))


def _not_read(cursor: Cursor, delivery: Delivery, parked: Parked, error: CloudSyncError) -> None:
    if delivery.ends_the_pass(error) or isinstance(error, CancelledError):
        raise error
    if isinstance(error, ObjectNotFoundError):
        cursor.park(instead_of=parked.id)
        delivery.skip(parked.key, "gone", "it was removed before it was delivered")
    elif isinstance(error, DamagedUpdateError):
        cursor.park(instead_of=parked.id)
        delivery.skip(parked.key, "damaged", str(error))
    else:
        known = envelope.FORMAT if isinstance(error, UnsupportedFormatError) else None
        delivery.park_again(parked, delivery.text(error), known=known)
