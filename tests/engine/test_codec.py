"""What is written to disk comes back equal; what is not ours is refused."""

import copy
import dataclasses
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cloudsync_core.engine.codec import (
    decode_action,
    decode_foreign_action,
    decode_object,
    encode_action,
    encode_object,
)
from cloudsync_core.runs import Action
from tests.engine.objects import ANY_NAMES, ENTRIES, entry


@st.composite
def actions(draw):
    kind = draw(st.sampled_from(["add", "update", "delete"]))
    key, reason = draw(ANY_NAMES), draw(st.text(max_size=5))
    source, target = (dataclasses.replace(draw(ENTRIES), key=key) for _ in range(2))
    return Action(kind, key, reason, None if kind == "delete" else source, None if kind == "add" else target)


@settings(max_examples=200, deadline=None)
@given(info=ENTRIES)
def test_an_object_comes_back_equal_with_every_field(info):
    assert decode_object(json.loads(json.dumps(encode_object(info)))) == info


@settings(max_examples=200, deadline=None)
@given(action=actions())
def test_an_action_comes_back_equal(action):
    written = json.loads(json.dumps(encode_action(action)))
    assert decode_action(written) == decode_foreign_action(written) == action


class TestDamage:
    UPDATE = encode_action(Action("update", "k", "size", entry("k"), entry("k")))

    @pytest.mark.parametrize(
        "change",
        [
            {"action": "move"},
            {"action": ["add"]},
            {"key": 5},
            {"key": ""},
            {"key": "other"},
            {"key": "\ud800"},
            {"reason": None},
            {"source": None},
            {"target": None},
            {"source": {"key": "k"}},
            {"source": ["k"]},
            {"action": "add"},
            {"action": "delete"},
        ],
    )
    def test_an_action_that_nobody_planned_is_refused(self, change):
        with pytest.raises(ValueError):
            decode_foreign_action({**self.UPDATE, **change})

    @pytest.mark.parametrize("name", ["action", "key", "reason", "source", "target"])
    def test_an_action_without_a_field_is_refused(self, name):
        value = copy.deepcopy(self.UPDATE)
        del value[name]
        with pytest.raises(ValueError):
            decode_foreign_action(value)

    @pytest.mark.parametrize(
        ("index", "value"),
        [
            *((0, value) for value in (1, None)),
            *((1, value) for value in ("5", -1, 1.5, True)),
            *((2, value) for value in (None, 1)),
            *((3, value) for value in ("now", None)),
            *((4, value) for value in (None, [1, 2])),
            *((5, value) for value in (1, [7])),
            *((6, value) for value in ([], {"x": 1}, {"mtime_ns": "x"}, {"metadata": {"a": 1}}, {"metadata": 1})),
            *((6, {name: 1}) for name in ("content_type", "cache_control")),
        ],
    )
    def test_an_object_with_a_field_of_another_type_is_refused(self, index, value):
        damaged = copy.deepcopy(self.UPDATE)
        damaged["source"][index] = value
        with pytest.raises(ValueError):
            decode_foreign_action(damaged)
