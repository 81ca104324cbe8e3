"""A part of the keys: what is in it, in the order of the keys, each key once."""

from hypothesis import given
from hypothesis import strategies as st

from cloudsync_core import keys
from cloudsync_core.engine.part import Part
from tests.engine.objects import NAMES

PARTS = st.builds(Part, st.lists(NAMES, max_size=6), st.lists(NAMES, max_size=3))


class TestWhatIsInIt:
    def test_exact_names_and_all_that_lies_in_its_folders(self):
        part = Part(["a", "x/b"], ["photos"])
        assert [key in part for key in ("a", "x/b", "photos/1", "photos/2/3", "photos/")] == [True] * 5
        assert [key in part for key in ("ab", "x", "x/b/c", "photos", "photosets/1")] == [False] * 5

    def test_a_marker_stands_for_its_folder(self):
        part = Part(["photos/"])
        assert (part.names, part.folders) == ([], ("photos",))

    def test_the_folder_without_a_name_is_everything(self):
        part = Part(["a"], ["", "b"])
        assert (part.names, part.folders) == ([], ("",))
        assert "anything/at all" in part

    def test_what_lies_in_a_folder_is_not_named_again(self):
        part = Part(["b/1", "b", "b!"], ["b/2", "b", "b/2/3"])
        assert (part.names, part.folders) == (["b", "b!"], ("b",))

    @given(part=PARTS, key=NAMES)
    def test_a_key_is_in_it_by_its_name_or_by_a_folder(self, part, key):
        assert (key in part) == (key in part.names or any(keys.under(key, folder) for folder in part.folders))


class TestBatches:
    @given(part=PARTS, length=st.integers(1, 3))
    def test_come_in_the_order_of_the_keys(self, part, length):
        batches = list(part.batches(length))
        starts = [start for names, folder in batches for start in (names if folder is None else [keys.folder(folder)])]
        assert starts == sorted(starts)
        assert [name for names, _ in batches for name in names] == list(part.names)
        assert [folder for _, folder in batches if folder is not None] == list(part.folders)
        assert all(len(names) <= length for names, _ in batches)

    def test_a_folder_comes_between_the_names_around_it(self):
        part = Part(["a", "b!", "b0"], ["b"])
        assert list(part.batches(9)) == [(["a", "b!"], None), ((), "b"), (["b0"], None)]
