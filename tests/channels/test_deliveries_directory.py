"""Files that updates become."""

import pytest

from cloudsync_core.channels.deliveries.directory import DirectoryDelivery
from cloudsync_core.errors import ConfigError, DeliveryError, IntegrityError
from tests.channels.updates import CREATED, ID, damage_payload, large_update, update


def files(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def inbox(tmp_path):
    return tmp_path / "made/inbox"


@pytest.mark.parametrize(
    ("found", "path", "content"),
    [
        (update("hello"), f"feeds/a/{ID}.txt", b"hello"),
        (update({"a": [1]}), f"feeds/a/{ID}.json", b'{"a":[1]}'),
        (update(b"\x00\xff"), f"feeds/a/{ID}.bin", b"\x00\xff"),
        (update(b"x", content_type="image/png"), f"feeds/a/{ID}.png", b"x"),
        (update(b"x", content_type="application/x-of-its-own"), f"feeds/a/{ID}", b"x"),
        (update("x", metadata={"filename": "news.feed"}), f"feeds/a/{ID}.feed", b"x"),
        (update("", topic="t"), f"t/{ID}.txt", b""),
    ],
)
def test_are_called_by_topic_id_and_kind(inbox, found, path, content):
    DirectoryDelivery(inbox)(found)
    assert files(inbox) == {path: content}


def test_have_the_time_of_the_update(inbox):
    DirectoryDelivery(inbox)(update())
    assert (inbox / f"feeds/a/{ID}.txt").stat().st_mtime == pytest.approx(CREATED, abs=1e-6)


def test_are_the_same_after_a_second_delivery(inbox):
    deliver = DirectoryDelivery(inbox)
    deliver(update())
    deliver(update())
    assert files(inbox) == {f"feeds/a/{ID}.txt": b"hello"}


@pytest.mark.parametrize(
    ("given", "name"),
    [
        ("news.txt", "news.txt"),
        ("/etc/passwd", "passwd"),
        ("../../up.txt", "up.txt"),
        ("C:\\feeds\\news.txt", "news.txt"),
        ("..", f"{ID}.txt"),
        ("folder/", f"{ID}.txt"),
        ("a\nb", f"{ID}.txt"),
        (None, f"{ID}.txt"),
    ],
)
def test_have_the_last_segment_of_the_publishers_name_and_lead_nowhere_else(tmp_path, given, name):
    inbox = tmp_path / "inbox"
    DirectoryDelivery(inbox, "{name}")(update(metadata={} if given is None else {"filename": given}))
    assert files(tmp_path) == {f"inbox/{name}": b"hello"}


def test_can_be_called_by_a_template(inbox):
    DirectoryDelivery(inbox, "{publisher}/{{x}}-{topic}{suffix}")(update(topic="{id}"))
    assert files(inbox) == {"web1/{x}-{id}.txt": b"hello"}


def test_hold_large_content(inbox, memory_channel):
    content = b"0123456789" * 300_000
    found = large_update(memory_channel, content)
    DirectoryDelivery(inbox, "{topic}")(found)
    assert files(inbox) == {"large": content}


def test_are_not_there_when_large_content_is_damaged_and_the_channels_error_says_so(inbox, memory_channel):
    found = large_update(memory_channel, bytes(range(256)) * 8000)
    damage_payload(memory_channel, found)
    with pytest.raises(IntegrityError):
        DirectoryDelivery(inbox)(found)
    assert files(inbox) == {}


class TestCannotBeWritten:
    def test_through_a_link_that_leads_out(self, tmp_path):
        (tmp_path / "inbox").mkdir()
        (tmp_path / "outside").mkdir()
        (tmp_path / "inbox/feeds").symlink_to(tmp_path / "outside")
        with pytest.raises(DeliveryError, match="link"):
            DirectoryDelivery(tmp_path / "inbox")(update())
        assert files(tmp_path / "outside") == {}

    def test_where_a_name_is_impossible_which_no_further_attempt_mends(self, inbox):
        with pytest.raises(DeliveryError) as caught:
            DirectoryDelivery(inbox, "{name}")(update(metadata={"filename": ".cs-0123456789ab.tmp"}))
        assert not caught.value.retry
        assert files(inbox) == {}

    def test_where_a_file_is_in_the_way_of_a_folder(self, inbox):
        inbox.mkdir(parents=True)
        (inbox / "feeds").write_text("in the way")
        with pytest.raises(DeliveryError) as caught:
            DirectoryDelivery(inbox)(update())
        assert caught.value.retry


class TestIsRefusedAtTheStart:
    @pytest.mark.parametrize("name", ["{ID}", "{topic!r}", "{topic:>9}", "{0}", "{}", "{topic.x}"])
    def test_for_an_unknown_placeholder(self, inbox, name):
        with pytest.raises(ConfigError, match="has the unknown placeholder"):
            DirectoryDelivery(inbox, name)

    @pytest.mark.parametrize("name", ["{topic", "topic}"])
    def test_for_a_brace_that_stands_alone(self, inbox, name):
        with pytest.raises(ConfigError, match="a brace stands alone"):
            DirectoryDelivery(inbox, name)

    def test_for_a_file_in_the_place_of_the_directory(self, tmp_path):
        (tmp_path / "file").write_text("")
        with pytest.raises(ConfigError, match="it is no directory"):
            DirectoryDelivery(tmp_path / "file")

    @pytest.mark.parametrize("name", ["../{id}", "/{id}", "{topic}/../{id}", "{id}/", "{topic}//{id}"])
    def test_for_a_name_that_no_file_can_have(self, inbox, name):
        with pytest.raises(ConfigError, match="no file in it can have the name") as caught:
            DirectoryDelivery(inbox, name)
        assert repr(name) in str(caught.value)
