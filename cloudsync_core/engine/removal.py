"""Removing objects of the target that are still what was listed."""

from __future__ import annotations

from collections.abc import Sequence

from cloudsync_core.backend import Backend
from cloudsync_core.engine.recheck import change_since
from cloudsync_core.engine.transfer import failed
from cloudsync_core.errors import BackendError, UnexpectedBackendError
from cloudsync_core.models import Version
from cloudsync_core.runs import Action, Outcome


def remove(target: Backend, actions: Sequence[Action]) -> list[Outcome]:
    """Return the outcomes of deletes, one an action, in any order.

    An object is removed under the condition that it is the version that was listed, or, where the store has no such
    condition or the listing told no version, after a look at it.
    """
    outcomes = []
    wanted: dict[str, Action] = {}
    items: list[tuple[str, Version | None]] = []
    for action in actions:
        assert action.target is not None
        version = (action.target.version or None) if target.capabilities.delete_if_match else None
        changed = change_since(target, action.key, action.target, operation="delete") if version is None else None
        if changed is None:
            wanted[action.key] = action
            items.append((action.key, version))
        else:
            outcomes.append(failed(action, changed))
    try:
        for result in target.delete_many(items):
            action = wanted.pop(result.key)
            outcomes.append(Outcome(action, "done") if result.error is None else failed(action, result.error))
    except BackendError as error:
        outcomes.extend(failed(action, error) for action in wanted.values())
    else:
        outcomes.extend(failed(action, _unreported(target, action)) for action in wanted.values())
    return outcomes


def _unreported(target: Backend, action: Action) -> BackendError:
    return UnexpectedBackendError(
        "the store did not say what became of it (clause D3)",
        operation="delete",
        location=target.location,
        key=action.key,
    )
