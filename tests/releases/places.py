"""The stores in which releases and channels are tested, each with how a test gets a fresh place in it."""

import dataclasses

from tests.equivalence.stores import STORES, Place


def _rclone(server, _):
    return Place(f"s3://{server.make_bucket()}/data", dict(server.options))


RCLONE = dataclasses.replace(STORES["s3"], name="rclone", place=_rclone, fixture="rclone_s3")

ALL = {**STORES, "rclone": RCLONE}


def place(name, request, folder):
    """Return a fresh place in a store, whose server is started if need be."""
    store = ALL[name]
    folder.mkdir(parents=True, exist_ok=True)
    return store.place(request.getfixturevalue(store.fixture) if store.fixture else None, folder)
