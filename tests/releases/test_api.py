"""Releases from Python: what is returned, and what raises."""

import pytest
from pydantic import ValidationError

from cloudsync_core import LocationConfig, Releases, release
from cloudsync_core.engine.lease import Lease
from cloudsync_core.errors import (
    ConfigError,
    ContainerNotFoundError,
    EmptySourceError,
    LeaseHeldError,
    ManifestError,
    UnknownBackendError,
)
from cloudsync_core.runs import RunInfo
from cloudsync_core.testing.faults import Faulty, at_random
from tests.workflows.world import FilePlace


@pytest.fixture
def places(tmp_path):
    (tmp_path / "tree").mkdir()
    (tmp_path / "tree" / "a.txt").write_text("one")
    return str(tmp_path / "tree"), str(tmp_path / "site")


def test_a_report_tells_what_is_live(places):
    report = release(*places, state=None, publisher="web1")
    assert (report.status, report.counts.added, report.exit_code) == ("done", 1, 0)
    assert report.to_dict()["release"] == report.release
    with Releases(places[1]) as releases:
        assert (releases.pointer().release, releases.pointer().by) == (report.release, "web1")


def test_a_location_may_have_options(places):
    target = LocationConfig(url=places[1], options={"fsync": False})
    report = release(places[0], target, state=None, keep=3, exclude=["*.tmp"])
    with Releases(target) as one, Releases(places[1], fsync=False) as other:
        assert one.pointer() == other.pointer()
        assert one.pointer().release == report.release


def test_what_is_refused_raises_with_its_report(places, tmp_path):
    release(*places, state=None)
    (tmp_path / "tree" / "a.txt").unlink()
    with pytest.raises(EmptySourceError) as caught:
        release(*places, state=None)
    assert (caught.value.report.status, caught.value.exit_code) == ("refused", 4)


def test_the_first_release_of_a_directory_makes_it(places, tmp_path):
    with pytest.raises(ContainerNotFoundError), Releases(places[1]) as releases:
        list(releases.ls())
    assert not (tmp_path / "site").exists()
    release(*places, state=None)
    with Releases(places[1]) as releases:
        assert len(list(releases.ls())) == 1


@pytest.mark.parametrize(
    "rules", [{"pointer": "a/b"}, {"tree": "half"}, {"keep": 0}, {"publisher": ""}, {"delete": True}]
)
def test_a_rule_that_is_wrong_names_its_field(places, rules):
    with pytest.raises(ValidationError, match=next(iter(rules))):
        release(*places, state=None, **rules)


def test_a_name_that_is_wrong_is_refused(places):
    with pytest.raises(ConfigError, match="name of a publisher"):
        Releases(places[1], publisher="a b")
    with pytest.raises(UnknownBackendError):
        Releases("nowhere://x")


def test_what_changes_something_waits_for_the_lease(places):
    release(*places, state=None)
    place = FilePlace.__new__(FilePlace)
    place.url = places[1]
    run = RunInfo("other", "other", "mirror", "x", places[1], dry_run=False, started=0.0)
    with place.open() as backend, Releases(places[1]) as releases:
        with Lease(backend, run, wait=0, stop=releases._stop) as held:
            held.hold()
            for change in (lambda: releases.promote("current", "canary"), lambda: releases.prune(keep=1)):
                with pytest.raises(LeaseHeldError):
                    change()
            with pytest.raises(LeaseHeldError):
                release(*places, state=None)
            assert releases.prune(keep=1, dry_run=True).kept == 1
        assert releases.promote("current", "canary").name == "canary"


def test_nothing_to_go_back_to_is_said(places):
    release(*places, state=None)
    with Releases(places[1]) as releases, pytest.raises(ManifestError, match="named no release before"):
        releases.rollback()


@pytest.mark.parametrize("dice", range(3))
def test_passing_troubles_make_no_difference(world, seed, dice):
    for number in range(12):
        world.write(**{f"f{number}_txt": f"content {number}"})

    def troubled(inner, side):
        return Faulty(inner, at_random(f"{seed}/{dice}/{side}", 0.06))

    world.source = lambda: troubled(world.open_tree(), "source")
    for text in ("first", "second"):
        world.write(f3_txt=text)
        report = world.release(retries=8, target=lambda: troubled(world.target(), "target"))
        assert report.status == "done", report.message
        assert world.seen()["f3.txt"] == text
