"""What the messages of a queue mean, without any server."""

import base64
import json

import pytest
from cloudsync_azure import events
from cloudsync_azure.events import Change, Scope, Settled, UnreadableError, parse
from hypothesis import given
from hypothesis import strategies as st

from tests.servers.event_grid import SCHEMAS, event, message

NAMES = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\ufffd"), min_size=1, max_size=40)
FIELDS = st.sampled_from(["eventType", "type", "specversion", "subject", "data"])
JSON = st.recursive(
    st.none() | st.booleans() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(FIELDS, inner, max_size=3),
    max_leaves=6,
)


def heard(text, root="", prune=None, account="one", container="box"):
    """The names that a message means to whoever watches a prefix."""
    return [change.name for change in Scope(account, container, root, prune).within(parse(text))]


def about(kind, name, source=None, **more):
    return message(event(kind, "one", "box", name, source=source, **more))


class TestNames:
    @pytest.mark.parametrize("schema", SCHEMAS)
    @pytest.mark.parametrize("encoded", [True, False], ids=["base64", "plain"])
    @given(name=NAMES)
    def test_come_through_exactly(self, schema, encoded, name):
        text = message(event("BlobCreated", "one", "box", f"root/{name}", schema=schema), encoded=encoded)
        assert heard(text, "root/") == [name]

    def test_are_not_decoded(self):
        assert heard(about("BlobCreated", "a%20b+c/100%/?#/blobs/x")) == ["a%20b+c/100%/?#/blobs/x"]

    def test_may_be_told_in_base64_with_line_breaks_and_a_mark(self):
        text = base64.encodebytes(b"\xef\xbb\xbf" + json.dumps(event("BlobDeleted", "one", "box", "a")).encode())
        assert heard(text.decode()) == ["a"]

    def test_that_event_grid_cannot_say_are_looked_for_in_their_folder(self):
        assert heard(about("BlobCreated", "a/b/tasks_\ufffd\ufffd.log")) == ["a/b/"]
        assert heard(about("BlobCreated", "root/\ufffd"), "root/") == [""]
        assert heard(about("BlobCreated", "\ufffd/a"), "root/") == [""]

    def test_that_are_no_keys_are_told(self, caplog):
        assert heard('{"eventType": "Microsoft.Storage.BlobCreated", "subject": '
                     '"/blobServices/default/containers/box/blobs/\\ud800"}') == []  # fmt: skip
        assert "the name is not valid Unicode" in caplog.text

    def test_several_events_may_come_in_one_message(self):
        told = [event("BlobCreated", "one", "box", name) for name in ("a", "b")]
        assert heard(message(told)) == ["a", "b"]


class TestKinds:
    @pytest.mark.parametrize("kind", ["BlobCreated", "BlobDeleted", "BlobTierChanged", "AsyncOperationInitiated"])
    def test_what_happened_to_an_object_does_not_matter(self, kind):
        assert heard(about(kind, "a/b")) == ["a/b"]

    @pytest.mark.parametrize("schema", SCHEMAS)
    def test_a_rename_concerns_both_names(self, schema):
        assert heard(about("BlobRenamed", "new/a", "old/b", schema=schema)) == ["new/a", "old/b"]

    def test_whether_the_old_name_is_encoded_does_not_matter(self):
        assert heard(about("BlobRenamed", "new", "old%20name?#x")) == ["new", "old%20name?#x", "old name"]

    @pytest.mark.parametrize("kind", ["DirectoryCreated", "DirectoryDeleted"])
    def test_directories_are_folders(self, kind):
        assert heard(about(kind, "a/b")) == ["a/b/"]

    def test_a_renamed_directory_is_two_folders(self):
        assert heard(about("DirectoryRenamed", "new", "a/old")) == ["new/", "a/old/"]

    @pytest.mark.parametrize("folder", ["a", "a/b"])
    def test_a_directory_above_the_prefix_concerns_everything(self, folder):
        assert heard(about("DirectoryDeleted", folder), "a/b/") == [""]

    def test_events_about_no_object_mean_nothing(self):
        told = event("BlobInventoryPolicyCompleted", "one", "box", "a") | {
            "subject": "BlobDataManagement/BlobInventory"
        }
        assert parse(message(told)) == ()
        told["eventType"] = "Microsoft.EventGrid.SubscriptionValidationEvent"
        assert parse(message(told)) == ()


class TestScope:
    @pytest.mark.parametrize("schema", SCHEMAS)
    @pytest.mark.parametrize(
        ("account", "container", "name"),
        [("other", "box", "root/a"), ("one", "other", "root/a"), ("one", "box", "roots/a"), ("one", "box", "a")],
    )
    def test_other_places_are_left_out(self, schema, account, container, name):
        told = event("BlobCreated", account, container, name, schema=schema)
        assert heard(message(told), "root/") == []

    def test_other_folders_are_left_out(self):
        assert heard(about("DirectoryDeleted", "roots"), "root/") == []
        assert heard(about("DirectoryDeleted", "roo"), "root/") == []

    def test_the_account_is_compared_as_names_of_accounts_are(self):
        told = event("BlobCreated", "ONE", "box", "a")
        assert heard(message(told)) == ["a"]

    def test_what_nobody_wants_is_left_out(self):
        def prune(folder):
            return folder == "cache"

        assert heard(about("BlobCreated", "cache/deep/a"), prune=prune) == []
        assert heard(about("DirectoryDeleted", "cache"), prune=prune) == []
        assert heard(about("BlobCreated", "caches/a"), prune=prune) == ["caches/a"]

    def test_the_marker_of_the_root_is_no_object(self):
        assert heard(about("BlobCreated", "root/"), "root/") == []

    def test_markers_of_folders_are_objects_and_directories_are_not(self):
        scope = Scope("one", "box", "")
        told = [about("BlobCreated", "a/"), about("DirectoryCreated", "a")]
        assert [[(change.name, change.is_folder) for change in scope.within(parse(text))] for text in told] == [
            [("a/", False)],
            [("a/", True)],
        ]


class TestUnreadable:
    @pytest.mark.parametrize(
        ("text", "reason"),
        [
            ("", events.NO_JSON),
            ("hello", events.NO_JSON),
            ("{", events.NO_JSON),
            ("[" * 100_000, events.NO_JSON),
            (base64.b64encode(b"\xff\xfe").decode(), events.NO_JSON),
            ("[]", events.NO_EVENT),
            ("[1]", events.NO_EVENT),
            ('{"eventType": "Microsoft.Storage.BlobCreated"}', events.NO_EVENT),
            ('{"specversion": "1.0", "eventType": "Microsoft.Storage.BlobCreated", "subject": "a"}', events.NO_EVENT),
            ('{"eventType": "Microsoft.Compute.Done", "subject": "a"}', events.FOREIGN),
        ],
        ids=range(10),
    )
    def test_has_a_reason(self, text, reason):
        with pytest.raises(UnreadableError, match=reason):
            parse(text)

    @given(st.text())
    def test_whatever_comes_is_no_other_error(self, text):
        with pytest.raises(UnreadableError):
            parse(text)

    @given(JSON)
    def test_whatever_json_comes_is_no_other_error(self, told):
        with pytest.raises(UnreadableError):
            parse(json.dumps(told))


class TestSettled:
    def test_what_came_before_is_settled_and_what_comes_after_is_not(self):
        settled = Settled(10)
        settled.add({"a": "0005"})
        settled.add({"a": "0003"})
        found = [Change("one", "box", "a", sequencer=text) in settled for text in ("0003", "0005", "0006")]
        assert found == [True, True, False]

    def test_what_cannot_be_compared_is_not_settled(self):
        settled = Settled(10)
        settled.add({"a": "0005"})
        assert Change("one", "box", "a", sequencer="03") not in settled
        assert Change("one", "box", "a") not in settled
        assert Change("one", "box", "b", sequencer="0003") not in settled

    def test_only_so_much_is_remembered(self):
        settled = Settled(2)
        for name in ("a", "b", "a", "c"):
            settled.add({name: "0005"})
        assert [Change("one", "box", name, sequencer="0005") in settled for name in "abc"] == [True, False, True]
