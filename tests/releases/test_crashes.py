"""A publisher dies at every point: readers see the release before or the new one, whole, and the next run ends well."""

import pytest

from cloudsync_core.api.releases import Releases
from cloudsync_core.crashpoints import EXIT_CODE
from cloudsync_core.releases.pruning import UNDER_WAY, prune
from tests.releases.dying import mortal
from tests.releases.places import place
from tests.releases.world import World

OLD = {"a.txt": "one", "b/c.txt": "two", "d.html": "<p>"}
NEW = {"a.txt": "changed", "b/c.txt": "two", "d.html": "<p>", "new.txt": "new"}

OF_RELEASES = (
    "release.base.read", "list.done", "release.compared", "op.claimed", "put.acked", "put.verified", "release.sent",
    "release.verified", "release.manifest.written", "release.pointer.moved", "release.pruned.manifest", "del.sent",
    "run.summary.written", "lease.removed", "shutdown.begin",
)  # fmt: skip
LIVE_FROM = OF_RELEASES.index("release.pointer.moved")
"""From here on the new release is live."""


@pytest.fixture(scope="module")
def publisher():
    with mortal() as running:
        yield running


IN_A_STORE = ("release.compared", "put.acked", "release.sent", "release.manifest.written", "release.pointer.moved")
"""The points at which a publisher dies in a store on a server, too; in a directory it dies at each."""

CASES = [
    *(("file", point) for point in (*OF_RELEASES, "put.acked:2", "op.claimed:2")),
    *(("s3", point) for point in IN_A_STORE),
]


@pytest.fixture
def there(request, tmp_path):
    return place(getattr(request, "param", "file"), request, tmp_path / "there")


@pytest.fixture
def world(there, tmp_path):
    (tmp_path / "tree").mkdir()
    (tmp_path / "state").mkdir()
    world = World(tmp_path / "tree", there.open, tmp_path / "state" / "state.db")
    world.write(a_txt="one", b__c_txt="two", d_html="<p>")
    return world


@pytest.mark.parametrize("tree", ["shared", "whole"])
def test_a_release_passes_its_points(world, there, publisher, tree):
    code, hits = publisher.release(world.path, there.url, there.options, state=world.state, tree=tree)
    assert code == 0
    passed = set(hits)
    assert passed >= set(OF_RELEASES) - {"release.pruned.manifest", "del.sent"}


@pytest.mark.parametrize(("there", "point"), CASES, indirect=["there"])
def test_a_crash_never_moves_the_pointer_to_something_incomplete(world, there, publisher, point):
    options = dict(there.options)

    def publish(crash_at=None):
        code, _ = publisher.release(world.path, there.url, options, state=world.state, crash_at=crash_at, keep=1)
        return code

    assert publish() == 0
    first = world.pointer()
    world.write(a_txt="changed", new_txt="new")
    assert publish(point) == EXIT_CODE
    # What readers see, right after: seen() holds every object to the digest of the manifest.
    after = world.pointer()
    name = point.partition(":")[0]
    if OF_RELEASES.index(name) >= LIVE_FROM and name != "del.sent":
        assert after.release != first.release
        assert world.seen() == NEW
    elif name != "del.sent":
        assert after == first
        assert world.seen() == OLD
    else:
        assert world.seen() in (OLD, NEW)
    # What the next run makes of it.
    assert publish() == 0
    assert world.seen() == NEW
    with Releases(world.target()) as releases:
        # The one before is pruned with the next release that is made.
        assert [one.pointers for one in releases.ls()][-1] == ("current",)
    # And nothing is left once nobody can be at it any more.
    with world.target() as backend:
        prune(backend, keep=1, clock=lambda: after.moved + UNDER_WAY + 3600)
    left = [key for key in world.objects() if not key.startswith(".")]
    wanted = {entry.key for entry in world.entries().values()}
    assert set(left) == {*wanted, "current.json", world.pointer().manifest}


@pytest.mark.parametrize("point", ["copy.server.acked", "release.sent"])
def test_a_crash_in_a_whole_tree_leaves_the_one_before(request, tmp_path, publisher, point):
    there = place("s3", request, tmp_path / "there")
    (tmp_path / "tree").mkdir()
    (tmp_path / "state").mkdir()
    world = World(tmp_path / "tree", there.open, tmp_path / "state" / "state.db")
    world.write(a_txt="one", b__c_txt="two", d_html="<p>")
    how = {"state": world.state, "tree": "whole"}
    assert publisher.release(world.path, there.url, there.options, **how)[0] == 0
    world.write(a_txt="changed", new_txt="new")
    assert publisher.release(world.path, there.url, there.options, crash_at=point, **how)[0] == EXIT_CODE
    assert world.seen() == OLD
    assert publisher.release(world.path, there.url, there.options, **how)[0] == 0
    assert world.seen() == NEW
