"""A mirror whose source cannot be listed to its end deletes nothing, and says so, whatever goes wrong (A01, A13)."""

import pytest

from cloudsync_core.testing.faults import (
    asking_to_wait,
    cut_answer,
    delay_answer,
    drop_request,
    empty_page,
    end_early,
    flip_answer,
    further_page,
    omit_token,
    refuse,
    repeat_token,
    reset_answer,
    shorten_answer,
    stall_answer,
)
from tests.cli.conftest import read_tree, write_tree
from tests.faults.conftest import IMPATIENT, SILENT

SOURCE = {f"folder/{number:02}": f"content {number}" for number in range(12)}
EXTRA = {"folder/zz": "only here", "another": "only here"}
"""What a mirror with --delete would rightly delete."""

PAGE = 3

pytestmark = pytest.mark.usefixtures("without_pauses")
"""But for those that a server asks for, and those of the command in a process of its own."""

FAULTS = {
    "500": lambda dialect: refuse(dialect.refusal(500)),
    "503": lambda dialect: refuse(dialect.refusal(503)),
    "503-asking-to-wait": lambda dialect: refuse(asking_to_wait(dialect.refusal(503), 1)),
    "429": lambda dialect: refuse(dialect.refusal(429)),
    "429-asking-to-wait-until": lambda dialect: refuse(asking_to_wait(dialect.refusal(429), 1, by_date=True)),
    "403": lambda dialect: refuse(dialect.refusal(403)),
    "dropped": lambda dialect: drop_request(),
    "reset": lambda dialect: reset_answer(),
    "reset-in-the-middle": lambda dialect: reset_answer(200),
    "cut-off": lambda dialect: cut_answer(200),
    "shortened": lambda dialect: shorten_answer(100),
    "flipped-bit": lambda dialect: flip_answer(0),
    "repeated-token": repeat_token,
    "missing-token": omit_token,
    "no-answer": lambda dialect: delay_answer(60),
    "no-end-of-the-answer": lambda dialect: stall_answer(200, 60),
}
LIES = {"ends-early": end_early, "empty-last-page": empty_page}


@pytest.fixture
def mirror(cloud, folder, request):
    """Return the arguments of a mirror from the cloud to a directory that it may change as it likes."""
    silent = request.node.callspec.params.get("fault") in SILENT
    cloud.fill({key: content.encode() for key, content in SOURCE.items()})
    cloud.list_in_pages_of(PAGE)
    write_tree(folder / "site", {**SOURCE, **EXTRA})
    options = {**cloud.options, "read_timeout": IMPATIENT if silent else 60}
    flags = [part for name, value in options.items() for part in ("--source-option", f"{name}={value}")]
    return ["mirror", cloud.url, "site", "--delete", "--retries", "2", *flags]


ALL = ["--max-delete", "100%"]


class TestTheInstalledCommand:
    @pytest.mark.parametrize("cloud", ["s3"], indirect=True)
    @pytest.mark.parametrize("fault", FAULTS)
    def test_A01_A13_deletes_nothing_and_fails_when_the_second_page_does(self, cloud, mirror, cloudsync, folder, fault):
        done = cloud.proxy.disturb(further_page(cloud.dialect), FAULTS[fault](cloud.dialect))
        result = cloudsync(*mirror, *ALL, code=4)
        assert done.met
        assert f"error: list {cloud.url}: " in result.err
        assert read_tree(folder / "site") == {**SOURCE, **EXTRA}

    def test_A01_on_every_cloud(self, cloud, mirror, cloudsync, folder):
        done = cloud.proxy.disturb(further_page(cloud.dialect), refuse(cloud.dialect.refusal(500)))
        cloudsync(*mirror, *ALL, code=4)
        assert done.met
        assert read_tree(folder / "site") == {**SOURCE, **EXTRA}

    def test_without_a_fault_it_deletes_what_the_source_does_not_have(self, cloud, mirror, cloudsync, folder):
        cloudsync(*mirror, *ALL)
        assert sum(map(cloud.dialect.is_listing, cloud.proxy.requests)) >= len(SOURCE) / PAGE
        assert read_tree(folder / "site") == SOURCE


@pytest.mark.parametrize("cloud", ["azure", "gcs"], indirect=True)
@pytest.mark.parametrize("fault", FAULTS)
def test_A01_A13_nothing_is_deleted_when_the_second_page_fails(cloud, mirror, invoke, folder, fault):
    done = cloud.proxy.disturb(further_page(cloud.dialect), FAULTS[fault](cloud.dialect))
    result = invoke(*mirror, *ALL, code=4)
    assert done.met
    assert f"error: list {cloud.url}: " in result.err
    assert read_tree(folder / "site") == {**SOURCE, **EXTRA}


@pytest.mark.parametrize("fault", ["503", "reset", "shortened", "flipped-bit", "no-answer"])
def test_a_fault_that_passes_costs_nothing_but_time(cloud, mirror, invoke, folder, fault):
    done = cloud.proxy.disturb(further_page(cloud.dialect), FAULTS[fault](cloud.dialect), times=1)
    invoke(*mirror, *ALL)
    assert done.met == 1
    assert read_tree(folder / "site") == SOURCE


@pytest.mark.parametrize("lie", LIES.values(), ids=LIES)
def test_A10_A13_a_lie_that_nobody_can_see_is_caught_by_the_limit_of_deletes(cloud, mirror, invoke, folder, lie):
    done = cloud.proxy.disturb(further_page(cloud.dialect), lie(cloud.dialect))
    result = invoke(*mirror, code=4)
    assert done.met
    assert "more than max_delete (50%); nothing was deleted" in result.err
    assert read_tree(folder / "site") == {**SOURCE, **EXTRA}


def test_A06_a_name_that_was_damaged_on_its_way_fails_a_transfer_and_so_holds_back_all_deletes(
    cloud, mirror, invoke, folder
):
    """The page is as good as any other, and shows an object that does not exist instead of one that does."""

    def rename(request, forward):
        answer = forward()
        renamed = answer.body.replace(b"folder/04", b"folder/05-", 1)
        return type(answer)(answer.status, renamed, answer.headers)

    done = cloud.proxy.disturb(further_page(cloud.dialect), rename)
    invoke(*mirror, *ALL, code=1)
    assert done.met
    assert read_tree(folder / "site") == {**SOURCE, **EXTRA}


@pytest.fixture
def mirror_up(cloud, folder):
    """Return the arguments of a mirror from a directory to the cloud, which has more than the directory."""
    cloud.fill({key: content.encode() for key, content in {**SOURCE, **EXTRA}.items()})
    cloud.list_in_pages_of(PAGE)
    write_tree(folder / "site", SOURCE)
    flags = [part for name, value in cloud.options.items() for part in ("--target-option", f"{name}={value}")]
    return ["mirror", "site", cloud.url, "--delete", "--retries", "2", *flags]


class TestTargets:
    @pytest.mark.parametrize(
        "fault", ["403", "500", "reset", "shortened", "flipped-bit", "repeated-token", "missing-token"]
    )
    def test_A01_A13_nothing_is_deleted_when_the_second_page_fails(self, cloud, mirror_up, invoke, fault):
        done = cloud.proxy.disturb(further_page(cloud.dialect), FAULTS[fault](cloud.dialect))
        result = invoke(*mirror_up, *ALL, code=4)
        assert done.met
        assert f"error: list {cloud.url}: " in result.err
        assert cloud.contents().keys() == {**SOURCE, **EXTRA}.keys()

    @pytest.mark.parametrize("lie", LIES.values(), ids=LIES)
    def test_a_lie_about_the_target_loses_nothing(self, cloud, mirror_up, invoke, lie):
        """What it hides is met by the conditions on the writes, and what is not known to be there is not deleted."""
        done = cloud.proxy.disturb(further_page(cloud.dialect), lie(cloud.dialect))
        invoke(*mirror_up, *ALL, code=1)
        assert done.met
        assert cloud.contents() == {key: content.encode() for key, content in {**SOURCE, **EXTRA}.items()}
        cloud.proxy.calm()
        invoke(*mirror_up, *ALL)
        assert cloud.contents() == {key: content.encode() for key, content in SOURCE.items()}
