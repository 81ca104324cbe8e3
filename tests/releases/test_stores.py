"""Releases on every kind of store."""

import contextlib
import threading

import pytest

from cloudsync_core.api.releases import Releases, release
from cloudsync_core.config.model import LocationConfig
from cloudsync_core.errors import ReleaseConflictError
from cloudsync_core.layers.layer import Layer
from cloudsync_core.releases.names import place as place_of
from tests.releases.places import ALL, place
from tests.releases.world import World


@pytest.fixture(params=ALL)
def there(request, tmp_path):
    """A fresh place in each store."""
    return place(request.param, request, tmp_path / "there")


@pytest.fixture
def world(there, tmp_path):
    (tmp_path / "tree").mkdir()
    return World(tmp_path / "tree", there.open, tmp_path / "state" / "state.db")


def test_a_life_of_releases(world, there):
    location = LocationConfig(url=there.url, options=there.options)

    def publish(**rules):
        return release(str(world.path), location, state=world.state, publisher="me", **rules)

    for number in range(40):
        world.write(**{f"d__f{number}_txt": f"content {number}"})
    world.write(page_html="<p>", empty="", ünï__cödé_txt="ß")
    first = publish()
    assert (first.status, first.counts.added) == ("done", 43)
    world.write(page_html="<p>changed", new_txt="new")
    second = publish()
    assert (second.status, second.counts.added, second.counts.unchanged) == ("done", 2, 42)
    # The objects, the manifest, and the pointer.
    assert second.requests["target"]["put"] == 4
    assert world.seen()["page.html"] == "<p>changed"
    assert world.seen(first.release)["page.html"] == "<p>"
    again = publish()
    assert (again.release, again.counts.unchanged) == (second.release, 44)
    whole = publish(tree="whole")
    assert whole.status == "done"
    assert len(world.objects(f"releases/{whole.release}")) == 44
    with Releases(world.target(), publisher="op") as releases:
        assert [one.header.release for one in releases.ls()] == [first.release, second.release, whole.release]
        assert [(one.kind, one.path) for one in releases.diff(first.release, second.release)] == [
            ("added", "new.txt"), ("changed", "page.html")
        ]  # fmt: skip
        assert releases.rollback().release == second.release
        assert releases.promote("current", "canary").release == second.release
        assert list(releases.verify("canary", content=True)) == []
        pruned = releases.prune(keep=1)
        assert pruned.releases == (first.release,)
    assert world.seen()["d/f7.txt"] == "content 7"
    assert place_of(first.release, "page.html") not in world.objects()
    assert place_of(first.release, "d/f7.txt") in world.objects()


def test_exactly_one_of_two_publishers_at_once_wins(world, there, tmp_path, request):
    world.write(a_txt="before")
    world.release()
    with there.open() as backend:
        conditional = backend.capabilities.put_if_match
    meeting, ends = threading.Barrier(2), []
    # moto looks at a condition and writes in two steps, between which another request of the same moment may come:
    # there the two writes, decided upon at the same moment, are sent one after the other.
    moto = request.node.callspec.params["there"] == "s3"
    one_by_one = threading.Lock() if moto else contextlib.nullcontext()

    class Together(Layer):
        """Lets both come to the moment at which they move the pointer."""

        def put(self, key, body, **how):
            if key == "current.json" and conditional:
                meeting.wait(20)
                with one_by_one:
                    return self.inner.put(key, body, **how)
            return self.inner.put(key, body, **how)

    def publish(name):
        tree = tmp_path / name
        tree.mkdir()
        one = World(tree, there.open, tmp_path / f"{name}.db")
        one.write(a_txt=name)
        ends.append((name, one.release(publisher=name, lease=False, target=lambda: Together(there.open()))))

    names = ["one", "other"]
    threads = [threading.Thread(target=publish, args=(name,)) for name in names]
    for thread in threads:
        thread.start()
        if not conditional:
            # Such a store cannot decide between two at once; one after the other follows the other.
            thread.join()
    for thread in threads:
        thread.join()
    won = [name for name, report in ends if report.status == "done"]
    assert world.seen() == {"a.txt": won[-1]}
    if conditional:
        assert len(won) == 1
        assert [type(report.error) for _, report in ends if report.status != "done"] == [ReleaseConflictError]
    else:
        assert won == names
