"""What judges the target after a crash finds what it is there to find."""

import pytest

from tests.crash.promises import hold_outside, hold_right_after
from tests.crash.story import DRIFT, FIRST, SECOND, Scene


@pytest.fixture
def scene() -> Scene:
    """The scene of the story, without places: only what they hold counts here."""
    around = {"beside x-2/edited": (3, "old"), "source edited": (4, "old")}
    return Scene(None, None, None, None, SECOND, {**FIRST, **DRIFT}, around, None, None)


def test_what_was_there_before_is_right(scene):
    hold_right_after(scene, scene.before)


def test_what_is_there_in_the_end_is_right(scene):
    hold_right_after(scene, scene.after)


def test_half_done_is_right(scene):
    hold_right_after(scene, {**scene.before, "edited": scene.after["edited"], "new/one": scene.after["new/one"]})


def test_a_folder_that_was_made_for_an_object_or_emptied_of_its_last_is_right(scene):
    hold_right_after(scene, {**scene.before, "new/": b"", "gone/": b""})


@pytest.mark.parametrize("content", [b"", b"01234", b"98765xxxxx"])
def test_P3_half_an_object_is_wrong(scene, content):
    with pytest.raises(AssertionError, match="P3: edited"):
        hold_right_after(scene, {**scene.before, "edited": content})


def test_P3_an_object_that_nobody_has_written_is_wrong(scene):
    with pytest.raises(AssertionError, match=r"P3: \.hidden"):
        hold_right_after(scene, {**scene.before, ".hidden": b"what"})


@pytest.mark.parametrize("key", ["same/one", "edited", "large"])
def test_P1_an_object_that_should_stay_and_is_gone_is_wrong(scene, key):
    with pytest.raises(AssertionError, match="P1"):
        hold_right_after(scene, {name: data for name, data in scene.after.items() if name != key})


@pytest.mark.parametrize("late", ["edited", "new/one"])
def test_P2_a_delete_before_all_else_is_done_is_wrong(scene, late):
    held = {key: data for key, data in scene.after.items() if key != late}
    with pytest.raises(AssertionError, match=r"P1|P2"):
        hold_right_after(scene, {**held, **({late: scene.before[late]} if late in scene.before else {})})


def test_P9_an_excluded_object_that_is_gone_is_wrong(scene):
    with pytest.raises(AssertionError, match="P9"):
        hold_right_after(scene, {key: data for key, data in scene.before.items() if key != "target's own.keep"})


def test_P5_what_lies_around_as_it_was_is_right(scene):
    hold_outside(scene, scene.around)


@pytest.mark.parametrize(
    "found",
    [
        {"beside x-2/edited": (3, "new"), "source edited": (4, "old")},
        {"beside x-2/edited": (3, "old"), "source edited": (4, "old"), "beside x-2/new": (0, "new")},
        {"source edited": (4, "old")},
        {"beside x-2/edited": (3, "old"), "source edited": (4, "new")},
    ],
    ids=["overwritten", "written", "removed", "in the source"],
)
def test_P5_what_is_touched_outside_the_target_is_wrong(scene, found):
    with pytest.raises(AssertionError, match=r"P5: .* was touched, outside the target"):
        hold_outside(scene, found)
