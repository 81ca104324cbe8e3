"""Manifests: written once, read as a whole or not at all."""

import hashlib
import json

import pytest
import zstandard

from cloudsync_core.errors import ManifestError, UnsupportedFormatError
from cloudsync_core.models import Attributes, Digest
from cloudsync_core.releases import manifest, publishing
from cloudsync_core.releases.entries import Entry
from cloudsync_core.releases.names import new_id, place
from cloudsync_core.testing.faults import CutOff, Faulty, Flip, LoseAnswer, at
from tests.engine.stores import content, memory, store

ID = "20261120T203540.123456Z-1a2b3c4d"
OTHER = "20261119T000000.000000Z-00000000"
KEY = f"manifests/{ID}.json"
LINE = {"path": "a.txt", "size": 3, "digest": f"sha256:{'0' * 64}"}


def entry(path, *, release=ID, size=3, **attributes):
    digest = Digest("sha256", hashlib.sha256(path.encode()).hexdigest())
    return Entry(path, size, digest, place(release, path), Attributes(**attributes))


def written(backend, entries, release=ID):
    return publishing.write(backend, entries, release=release, publisher="me", source="memory://source")


def lines(*files, **header):
    """Return a manifest of these lines, whose header fits unless told otherwise."""
    body = b"".join(json.dumps(one).encode() + b"\n" for one in files)
    first = {
        "format": 1, "release": ID, "created": "2026-11-20T20:35:41.000000Z", "publisher": "me", "source": "x",
        "files": len(files), "bytes": sum(one["size"] for one in files if type(one["size"]) is int and one["size"] > 0),
        "base": None, "tree": "shared", "digest": f"sha256:{hashlib.sha256(body).hexdigest()}", **header,
    }  # fmt: skip
    return json.dumps(first).encode() + b"\n" + body


def read(content, key=KEY, **how):
    backend = memory()
    store(backend, key, content)
    with manifest.read(backend, ID, **how) as found:
        return list(found.entries())


@pytest.mark.parametrize("count", [0, 1, 1000])
def test_what_is_written_is_read(count):
    backend = memory()
    entries = [entry(f"{n:04}/ü.txt", content_type="text/plain", mtime_ns=n, metadata={"x": "y"}) for n in range(count)]
    done = written(backend, entries)
    with manifest.read(backend, ID, key=done.key, expected=done.digest) as found:
        assert list(found.entries()) == entries
        assert list(found.entries()) == entries, "it can be read again"
        assert found.header == done.header == manifest.header(backend, done.key)
        assert (found.header.files, found.header.size) == (count, 3 * count)


def test_a_large_manifest_is_compressed_and_a_small_one_is_text():
    backend = memory()
    assert written(backend, [entry("a")]).key == KEY
    assert json.loads(content(backend, KEY).splitlines()[1]) == {
        "path": "a", "size": 3, "digest": str(entry("a").digest)
    }  # fmt: skip
    other = new_id(0)
    assert (
        written(backend, [entry(f"{n:05}", release=other) for n in range(1000)], other).key
        == f"manifests/{other}.json.zst"
    )
    with manifest.read(backend, other) as found:
        assert found.header.files == 1000


def test_only_an_object_of_an_earlier_release_is_named_by_its_key():
    backend = memory()
    moved = Entry("b", 3, entry("b").digest, place(OTHER, "was/b"))
    written(backend, [entry("a"), moved])
    _, first, second = map(json.loads, content(backend, KEY).splitlines())
    assert "key" not in first
    assert second["key"] == f"releases/{OTHER}/was/b"
    with manifest.read(backend, ID) as found:
        assert [one.key for one in found.entries()] == [place(ID, "a"), place(OTHER, "was/b")]


@pytest.mark.parametrize(
    "path",
    ["../up", "a/../b", "/etc/passwd", "a//b", "./a", "a/.", "", "folder/", "nul\0", ".cs-0123456789ab.tmp", "\ud800"],
)
def test_a_path_outside_the_tree_is_refused(path):
    with pytest.raises(ManifestError, match="line 2"):
        read(lines({**LINE, "path": path}))


@pytest.mark.parametrize(
    "key",
    [
        "current.json", f"manifests/{ID}.json", "releases/a.txt", f"releases/{ID}", f"releases/{ID}/../../x", "../x",
        f"x/releases/{ID}/a",
    ],
)  # fmt: skip
def test_a_key_that_is_in_no_release_is_refused(key):
    with pytest.raises(ManifestError, match="is not in a release"):
        read(lines({**LINE, "key": key}))


@pytest.mark.parametrize(
    ("paths", "why"),
    [
        (["b", "a"], "comes after"),
        (["a", "a"], "comes twice"),
        (["a", "a/b"], "would be a file and the folder"),
        (["a", "a-b", "a.txt", "a/b"], "would be a file and the folder"),
        (["x/a", "x/a!", "x/a/b/c"], "would be a file and the folder"),
    ],
)
def test_paths_of_which_no_tree_can_be_made_are_refused(paths, why):
    with pytest.raises(ManifestError, match=why):
        read(lines(*({**LINE, "path": path} for path in paths)))
    with pytest.raises(ManifestError, match=why):
        written(memory(), [entry(path) for path in paths])


def test_names_that_only_begin_alike_are_no_conflict():
    paths = ["a", "a!b/c", "a.txt", "a0/b", "ab", "ab.d/x", "ä/ö"]
    assert [one.path for one in read(lines(*({**LINE, "path": path} for path in paths)))] == paths


@pytest.mark.parametrize(
    "change",
    [
        {"size": -1}, {"size": True}, {"size": "3"}, {"size": None}, {"digest": "md5:00"}, {"digest": "sha256:xyz"},
        {"digest": None}, {"path": 3}, {"key": 3}, {"content_type": 3}, {"metadata": {"a": 1}}, {"metadata": []},
        {"mtime_ns": "now"}, {"content_type": "\ud800"}, {"metadata": {"\ud800": ""}},
    ],
)  # fmt: skip
def test_a_field_of_another_type_is_refused(change):
    with pytest.raises(ManifestError, match="line 2"):
        read(lines({**LINE, **change}))


@pytest.mark.parametrize(
    "change",
    [
        {"format": 0}, {"format": "1"}, {"format": True}, {"release": OTHER}, {"created": "yesterday"},
        {"created": "2026-11-20T20:35:41"}, {"files": 2}, {"bytes": 4}, {"files": -1}, {"tree": "half"}, {"base": "x"},
        {"digest": f"sha256:{'1' * 64}"}, {"publisher": None},
    ],
)  # fmt: skip
def test_a_header_that_is_wrong_is_refused(change):
    with pytest.raises(ManifestError):
        read(lines(LINE, **change))


def test_what_later_versions_add_is_ignored():
    assert [one.path for one in read(lines({**LINE, "new": 1}, later={"x": 2}))] == ["a.txt"]


def test_an_unknown_format_is_refused_with_the_version_needed():
    with pytest.raises(
        UnsupportedFormatError, match=r"format 2, and this cloudsync knows formats up to 1[\s\S]*Upgrade"
    ):
        read(lines(LINE, format=2))


@pytest.mark.parametrize(
    "damaged",
    [
        b"", b"\n", b"{}\n", b"[]\n", b"not json\n", b"\xff\n", lines(LINE)[:-1], lines(LINE) + b"more",
        lines(LINE) + b"{}\n",
        lines(LINE)[: -len(json.dumps(LINE)) - 1], b"{" * 100_000, b'"' + b"x" * (manifest.LONGEST_LINE + 1) + b'"\n',
    ],
)  # fmt: skip
def test_a_damaged_manifest_is_refused(damaged):
    with pytest.raises(ManifestError):
        read(damaged)


def test_every_byte_that_is_flipped_is_noticed():
    whole = lines(LINE, {**LINE, "path": "b"})
    digest = Digest("sha256", hashlib.sha256(whole).hexdigest())
    for index in range(len(whole)):
        flipped = whole[:index] + bytes([whole[index] ^ 1]) + whole[index + 1 :]
        with pytest.raises((ManifestError, UnsupportedFormatError)):
            read(flipped, key=KEY, expected=digest)


class TestCompressed:
    key = f"{KEY}.zst"

    def test_is_read(self):
        assert len(read(zstandard.compress(lines(LINE)), key=self.key)) == 1

    @pytest.mark.parametrize(
        "spoil", [lambda data: data[:-5], lambda data: b"x" + data, lambda data: data[:20] + b"?" + data[21:]]
    )
    def test_damage_is_refused(self, spoil):
        with pytest.raises(ManifestError):
            read(spoil(zstandard.ZstdCompressor(write_checksum=True).compress(lines(LINE))), key=self.key)

    def test_it_is_not_decompressed_without_end(self):
        bomb = lines(LINE) + b"\n" * (64 * 1024 * 1024)
        packed = zstandard.compress(bomb)
        assert len(packed) < 16 * 1024
        with pytest.raises(ManifestError):
            read(packed, key=self.key)

    def test_it_holds_no_large_window(self):
        parameters = zstandard.ZstdCompressionParameters(window_log=27, enable_ldm=True)
        packed = zstandard.ZstdCompressor(compression_params=parameters)
        stream = packed.compressobj()
        with pytest.raises(ManifestError):
            read(stream.compress(lines(LINE)) + stream.flush(), key=self.key)


def test_one_that_is_missing_is_named():
    with pytest.raises(ManifestError, match=f"no manifest of release {ID}"):
        manifest.read(memory(), ID)


def test_one_that_the_pointer_does_not_mean_is_refused():
    with pytest.raises(ManifestError, match="not the one that the pointer tells of"):
        read(lines(LINE), key=KEY, expected=Digest("sha256", "0" * 64))


def test_a_read_that_breaks_off_begins_anew():
    backend = memory()
    done = written(backend, [entry("a")])
    faulty = Faulty(backend, at("get", CutOff(1), KEY, times=2))
    with manifest.read(faulty, ID, key=done.key, expected=done.digest) as found:
        assert [one.path for one in found.entries()] == ["a"]
    assert len(faulty.met) == 2


def test_an_answer_that_is_lost_leaves_one_manifest():
    backend = memory()
    faulty = Faulty(backend, at("put", LoseAnswer(), KEY))
    done = written(faulty, [entry("a")])
    assert len(faulty.met) == 1
    with manifest.read(backend, ID, expected=done.digest) as found:
        assert found.header == done.header


def test_a_manifest_is_never_replaced():
    backend = memory()
    store(backend, KEY, b"somebody else's")
    with pytest.raises(ManifestError, match="is not the manifest that was written there"):
        written(backend, [entry("a")])
    assert content(backend, KEY) == b"somebody else's"


def test_one_that_the_store_keeps_wrong_is_written_again():
    backend = memory()
    faulty = Faulty(backend, at("put", Flip(9), KEY))
    done = written(faulty, [entry("a")])
    assert len(faulty.met) == 1
    with manifest.read(backend, ID, expected=done.digest) as found:
        assert found.header == done.header
