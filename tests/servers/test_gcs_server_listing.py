"""Lists of the Cloud Storage of the tests: https://cloud.google.com/storage/docs/json_api/v1/objects/list."""

import pytest

from tests.servers.gcs import GcsServer, running_gcs


@pytest.fixture
def filled(gcs: GcsServer):
    """Make a bucket that holds some keys."""

    def bucket(*keys: str) -> str:
        name = gcs.make_bucket()
        for key in keys:
            gcs.put(name, key, key.encode())
        return name

    return bucket


def names(page) -> list[str]:
    return [item["name"] for item in page.get("items", [])]


def pages(server: GcsServer, bucket: str, **query):
    """Follow the tokens to the end."""
    found = [server.ask("GET", f"b/{bucket}/o", **query).json]
    while token := found[-1].get("nextPageToken"):
        found.append(server.ask("GET", f"b/{bucket}/o", pageToken=token, **query).json)
    return found


def test_names_come_in_the_order_of_their_bytes(gcs: GcsServer, filled):
    keys = ["a", "b", "B", "a/b", "a.b", "ü", "\U0001f600", "\ufb01", "z", "é", "\x01", "/"]
    listed = names(gcs.ask("GET", f"b/{filled(*keys)}/o").json)
    assert listed == sorted(keys, key=str.encode)


def test_an_empty_bucket_lists_nothing_and_a_missing_one_is_told(gcs: GcsServer, filled):
    assert gcs.ask("GET", f"b/{filled()}/o").json == {"kind": "storage#objects"}
    answer = gcs.ask("GET", "b/no-such-bucket/o")
    assert (answer.status, answer.reason) == (404, "notFound")
    assert answer.json["error"]["message"] == "The specified bucket does not exist."


def test_a_page_holds_a_thousand(gcs: GcsServer):
    bucket = gcs.make_bucket()
    for number in range(1001):
        gcs.put(bucket, f"{number:04d}", b"")
    first, second = pages(gcs, bucket, maxResults=5000)
    assert (len(names(first)), names(second)) == (1000, ["1000"])


@pytest.mark.parametrize("most", [1, 2, 3, 4, 7])
def test_pages_together_are_the_list(gcs: GcsServer, filled, most):
    keys = [f"key/{number}" for number in range(7)]
    found = pages(gcs, filled(*keys), maxResults=most)
    assert [len(names(page)) for page in found[:-1]] == [most] * (len(found) - 1)
    assert [name for page in found for name in names(page)] == keys


def test_a_server_may_have_smaller_pages(gcs_small_pages: GcsServer):
    bucket = gcs_small_pages.make_bucket()
    for key in "abcd":
        gcs_small_pages.put(bucket, key, b"")
    assert [names(page) for page in pages(gcs_small_pages, bucket, maxResults=1000)] == [["a", "b", "c"], ["d"]]


def test_a_token_stands_for_what_was_listed_last(gcs: GcsServer, filled):
    bucket = filled("b", "d")
    token = gcs.ask("GET", f"b/{bucket}/o", maxResults=1).json["nextPageToken"]
    for key in ("a", "c"):
        gcs.put(bucket, key, b"")
    assert names(gcs.ask("GET", f"b/{bucket}/o", pageToken=token).json) == ["c", "d"]


@pytest.mark.parametrize(
    ("query", "wanted"),
    [
        ({"startOffset": "b"}, ["b", "b/c", "c"]),
        ({"startOffset": "b\0"}, ["b/c", "c"]),
        ({"endOffset": "b/c"}, ["a", "b"]),
        ({"startOffset": "b", "endOffset": "c"}, ["b", "b/c"]),
        ({"prefix": "b"}, ["b", "b/c"]),
        ({"prefix": "b/"}, ["b/c"]),
        ({"prefix": "b", "startOffset": "a"}, ["b", "b/c"]),
        ({"prefix": "b", "startOffset": "b0"}, []),
        ({"prefix": "nothing"}, []),
        ({"prefix": ""}, ["a", "b", "b/c", "c"]),
    ],
    ids=str,
)
def test_a_part_can_be_listed(gcs: GcsServer, filled, query, wanted):
    bucket = filled("a", "b", "b/c", "c")
    assert names(gcs.ask("GET", f"b/{bucket}/o", **query).json) == wanted
    assert [name for page in pages(gcs, bucket, maxResults=1, **query) for name in names(page)] == wanted


class TestFolders:
    keys = ("a/", "a/b", "a/c", "d", "e", "e/f", "e/g/h", "e/g/i")

    @pytest.mark.parametrize(
        ("query", "wanted"),
        [
            ({}, (["d", "e"], ["a/", "e/"])),
            ({"prefix": "e/"}, (["e/f"], ["e/g/"])),
            ({"prefix": "e"}, (["e"], ["e/"])),
            ({"prefix": "a/"}, (["a/", "a/b", "a/c"], [])),
            ({"includeTrailingDelimiter": "true"}, (["a/", "d", "e"], ["a/", "e/"])),
            ({"startOffset": "a/c"}, (["d", "e"], ["a/", "e/"])),
            ({"startOffset": "d", "endOffset": "e/"}, (["d", "e"], [])),
        ],
        ids=str,
    )
    @pytest.mark.parametrize("most", [1, 2, 1000])
    def test_names_are_cut_behind_the_delimiter(self, gcs: GcsServer, filled, most, query, wanted):
        found = pages(gcs, filled(*self.keys), delimiter="/", maxResults=most, **query)
        listed = [name for page in found for name in names(page)]
        assert (listed, [prefix for page in found for prefix in page.get("prefixes", [])]) == wanted
        assert all(len(names(page)) + len(page.get("prefixes", [])) <= most for page in found)


class TestVersions:
    @pytest.mark.parametrize("most", [1, 2, 1000])
    def test_all_generations_are_listed_where_it_is_asked_for(self, gcs: GcsServer, most):
        bucket = gcs.make_bucket(versioning={"enabled": True})
        wanted = [(key, str(gcs.put(bucket, key, b""))) for key in ("a", "a", "b", "b")]
        gcs.ask("DELETE", f"b/{bucket}/o/a")
        found = pages(gcs, bucket, versions="true", maxResults=most)
        assert [(item["name"], item["generation"]) for page in found for item in page.get("items", [])] == wanted
        assert names(gcs.ask("GET", f"b/{bucket}/o").json) == ["b"]

    def test_a_bucket_without_them_keeps_none(self, gcs: GcsServer, filled):
        bucket = filled("a", "a")
        assert names(gcs.ask("GET", f"b/{bucket}/o", versions="true").json) == ["a"]


class TestFields:
    @pytest.mark.parametrize(
        ("fields", "wanted"),
        [
            ("items(name,size),nextPageToken,prefixes", {"items": [{"name": "a", "size": "1"}]}),
            ("items/name", {"items": [{"name": "a"}]}),
            ("kind", {"kind": "storage#objects"}),
            ("items(name,metadata/k)", {"items": [{"name": "a", "metadata": {"k": "v"}}]}),
            ("kind, items/size", {"kind": "storage#objects", "items": [{"size": "1"}]}),
            ("items(metadata(k),size)", {"items": [{"metadata": {"k": "v"}, "size": "1"}]}),
            ("nothing", {}),
        ],
    )
    def test_only_what_is_asked_for_is_told(self, gcs: GcsServer, fields, wanted):
        bucket = gcs.make_bucket()
        gcs.put(bucket, "a", b"1", metadata={"k": "v", "other": "w"})
        assert gcs.ask("GET", f"b/{bucket}/o", fields=fields).json == wanted

    def test_all_fields_have_a_short_name(self, gcs: GcsServer, filled):
        bucket = filled("a")
        assert gcs.ask("GET", f"b/{bucket}/o", fields="*").json == gcs.ask("GET", f"b/{bucket}/o").json
        assert gcs.ask("GET", f"b/{bucket}/o", fields="items(*)").json.keys() == {"items"}

    def test_tokens_are_told_where_they_are_asked_for(self, gcs: GcsServer, filled):
        found = gcs.ask("GET", f"b/{filled('a', 'b')}/o", fields="nextPageToken", maxResults=1).json
        assert found.keys() == {"nextPageToken"}

    @pytest.mark.parametrize("fields", ["items(name", "items)", "a,,b", ",", "a b(", "items(name)x", "$"])
    def test_what_is_no_selection_is_refused(self, gcs: GcsServer, filled, fields):
        answer = gcs.ask("GET", f"b/{filled('a')}/o", fields=fields)
        assert (answer.status, answer.reason) == (400, "invalid")


@pytest.mark.parametrize(
    "query",
    [{"maxResults": "many"}, {"maxResults": -1}, {"pageToken": "no token"}, {"matchGlob": "*"}, {"softDeleted": True}],
    ids=str,
)
def test_what_is_wrong_or_not_known_is_refused(gcs: GcsServer, filled, query):
    answer = gcs.ask("GET", f"b/{filled('a')}/o", **query)
    assert (answer.status, answer.reason) == (400, "invalid")


def test_a_list_of_buckets_has_pages():
    with running_gcs(page_size=2) as server:
        for name in "cab":
            server.make_bucket(f"bucket-{name}")
        found = server.ask("GET", "b", project="p").json
        assert [item["name"] for item in found["items"]] == ["bucket-a", "bucket-b"]
        found = server.ask("GET", "b", project="p", pageToken=found["nextPageToken"]).json
        assert [item["name"] for item in found["items"]] == ["bucket-c"]
        assert "nextPageToken" not in found
        assert server.ask("GET", "b").status == 400
