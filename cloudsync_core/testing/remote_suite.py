"""The suite as `cloudsync testremote` runs it; collected by `cloudsync_core.testing.remote.run` and by nobody else."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from cloudsync_core.backend import Backend
from cloudsync_core.errors import BackendError
from cloudsync_core.testing.conformance import BackendContract, MakeBackend, Root
from cloudsync_core.testing.corpus import Case
from cloudsync_core.testing.remote import Remote


class TestRemote(BackendContract):
    """Every clause, on the user's container."""

    remote: Remote

    @pytest.fixture
    def make_backend(self, remote: Remote) -> MakeBackend:
        self.remote = remote
        number = next(remote.numbers)

        def make(root: Root = "first", /) -> Backend:
            return remote.open_missing() if root == "missing" else remote.open_root(f"{number}/{root}")

        return make

    @pytest.fixture
    def missing_container(self, make_backend: MakeBackend) -> Iterator[Backend]:
        if self.remote.no_missing:
            pytest.skip(self.remote.no_missing)
        with make_backend("missing") as opened:
            yield opened

    def refused(self, case: Case, error: BackendError) -> None:
        """Note a refusal: what a user's server cannot hold is for the user to know, and breaks no promise."""
        self.remote.refusals[case.name] = error.reason
