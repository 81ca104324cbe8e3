"""Removing objects of the target that are still what was listed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from cloudsync_core.backend import Backend
from cloudsync_core.capabilities import Capabilities
from cloudsync_core.crashpoints import hit
from cloudsync_core.engine.recheck import change_since, changed_error, unchanged_in_listing
from cloudsync_core.engine.transfer import failed
from cloudsync_core.errors import BackendError, UnexpectedBackendError
from cloudsync_core.models import Version
from cloudsync_core.runs import Action, Outcome


def is_looked_up_in_listings(capabilities: Capabilities) -> bool:
    """Tell whether `remove_listed` is the way to remove many objects from such a store.

    A store that takes conditions needs no look. Where objects are removed one by one, a look at each costs as little.
    """
    return capabilities.ordered_listing and not capabilities.delete_if_match and capabilities.bulk_delete_max > 1


def remove(target: Backend, actions: Sequence[Action]) -> list[Outcome]:
    """Return the outcomes of deletes, one an action, in any order.

    An object is removed under the condition that it is the version that was listed, or, where the store has no such
    condition or the listing told no version, after a look at it.
    """
    outcomes = []
    wanted: dict[str, Action] = {}
    versions: dict[str, Version | None] = {}
    for action in actions:
        assert action.target is not None
        version = (action.target.version or None) if target.capabilities.delete_if_match else None
        changed = change_since(target, action.key, action.target, operation="delete") if version is None else None
        if changed is None:
            wanted[action.key] = action
            versions[action.key] = version
        else:
            outcomes.append(failed(action, changed))
    return outcomes + _remove_now(target, wanted, versions)


def remove_listed(target: Backend, actions: Sequence[Action]) -> tuple[list[Outcome], list[Action]]:
    """Remove the objects that one listing, made now, shows to be unchanged.

    The first of them is looked at by itself: the listing starts after it.

    Args:
        target: a store of which `is_looked_up_in_listings` is true.
        actions: deletes of keys that are near each other in the listing.

    Returns:
        The outcomes, and the actions that nothing was done about, because the listing did not show their objects: gone,
        too far apart, or in a listing that failed. They are for `remove`.
    """
    outcomes: list[Outcome] = []
    unseen: list[Action] = []
    wanted: dict[str, Action] = {}
    seen = {action.key: action.target for action in actions if action.target is not None}
    first = min(seen)
    unchanged = unchanged_in_listing(target, seen)
    for action in actions:
        if action.key == first:
            changed = change_since(target, first, action.target, operation="delete")
        elif action.key in unchanged:
            changed = None if unchanged[action.key] else changed_error(target, action.key, operation="delete")
        else:
            unseen.append(action)
            continue
        if changed is None:
            wanted[action.key] = action
        else:
            outcomes.append(failed(action, changed))
    return outcomes + _remove_now(target, wanted, {}), unseen


def _remove_now(target: Backend, wanted: dict[str, Action], versions: Mapping[str, Version | None]) -> list[Outcome]:
    outcomes = []
    hit("del.precheck")
    try:
        for result in target.delete_many([(key, versions.get(key)) for key in wanted]):
            hit("del.acked")
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
