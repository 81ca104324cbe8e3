"""Whether the objects of a release are there: told by listings, one request a thousand objects."""

from __future__ import annotations

from cloudsync_core.backend import Backend
from cloudsync_core.errors import ManifestError, printable
from cloudsync_core.releases.draft import Draft
from cloudsync_core.releases.names import tree


def find_earlier(backend: Backend, draft: Draft) -> None:
    """Note in a draft which objects of the release before are there, so that no other is referred to.

    Raises:
        BackendError: a listing cannot be completed.
    """
    for release in draft.trees():
        for page in backend.list(tree(release)):
            draft.found(zip(page.keys, page.sizes, strict=True))


def check_written(backend: Backend, release: str, draft: Draft) -> None:
    """Return when the tree of a new release holds what was written there, and nothing else.

    Raises:
        ManifestError: something is missing, has changed, or does not belong there.
        BackendError: the listing cannot be completed.
    """
    for page in backend.list(tree(release)):
        for key, size, fingerprint in zip(page.keys, page.sizes, page.fingerprints, strict=True):
            if not draft.confirm(key, size, fingerprint):
                raise _incomplete(backend, key, "it is not what was written there")
    if (missing := draft.unconfirmed()) is not None:
        raise _incomplete(backend, missing, "it was written, and is not there")


def _incomplete(backend: Backend, key: str, why: str) -> ManifestError:
    return ManifestError(
        f"the release is not complete: {backend.location}/{printable(key)}: {why}",
        hint="Nothing points to it. See that nothing else writes or removes objects there, and publish again.",
    )
