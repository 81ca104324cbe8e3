"""Pages of List Blobs are whole and consistent, or they raise (clauses L3 and L4)."""

import pytest
from cloudsync_azure import listing
from cloudsync_azure.listing import ListingError
from hypothesis import example, given
from hypothesis import strategies as st

from plugins.azure.tests.answers import MD5, TIME, document, entry

texts = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\r\ufffe\uffff", min_codepoint=32), min_size=1
)


def keys(*entries, **more):
    return listing.parse(document(*entries, **more)).keys


def test_columns_of_a_page():
    page = listing.parse(
        document(entry("a", 5), entry("b", 0, etag='"0x1"', md5=""), marker="<NextMarker>2!m</NextMarker>")
    )
    assert page == listing.ListedPage(["a", "b"], [5, 0], ["0x8D", "0x1"], [TIME, TIME], [MD5, ""], "2!m")


@pytest.mark.parametrize("marker", ["<NextMarker />", "<NextMarker/>", "<NextMarker></NextMarker>"])
def test_last_page_says_so(marker):
    assert listing.parse(document(marker=marker)).token is None


def test_page_may_hold_nothing_and_go_on():
    page = listing.parse(document(marker="<NextMarker>m</NextMarker>"))
    assert (page.keys, page.token) == ([], "m")


@given(st.lists(texts, max_size=4, unique=True))
@example(["a&b", "&amp;", "<x>", "a\nb", '"', "'", "a\tb"])
@example(["<Blob>", "</Blob><Blob>", "<Name>x</Name>", "]]>"])
@example(["hdi_isfolder", "<!DOCTYPE", "&lt;"])
def test_L4_names_are_exact(names):
    assert keys(*map(entry, names)) == names


def test_names_that_xml_cannot_carry_are_decoded_and_others_are_not():
    found = keys(
        entry("a%01b%25", name_more=' Encoded="true"'), entry("a%01b%25"), entry("%FF", name_more=' Encoded="true"')
    )
    assert found == ["a\x01b%", "a%01b%25", "\udcff"]


@pytest.mark.parametrize("name", ["&#97;b", "&quot;x&apos;"])
def test_other_ways_to_write_a_character_are_read(name):
    assert keys(entry("x").replace("<Name>x<", f"<Name>{name}<")) == [{"&#97;b": "ab", "&quot;x&apos;": "\"x'"}[name]]


@pytest.mark.parametrize(
    "unwanted",
    [
        entry("x", more="<Snapshot>2026-01-01T00:00:00.0000000Z</Snapshot>"),
        entry("x", more="<Deleted>true</Deleted>"),
        entry("x", more="<VersionId>1</VersionId><IsCurrentVersion>false</IsCurrentVersion>"),
        entry("x", properties="<ResourceType>directory</ResourceType>"),
        entry("x", 0, metadata="<Metadata><hdi_isfolder>true</hdi_isfolder></Metadata>"),
        entry("x", 0, metadata="<Metadata><Hdi_isfolder>True</Hdi_isfolder></Metadata>"),
    ],
    ids=["snapshot", "deleted", "old version", "directory", "pretended directory", "the same in other letters"],
)
def test_what_is_no_object_as_it_is_now_is_left_out(unwanted):
    assert keys(entry("a"), unwanted, entry("z")) == ["a", "z"]


@pytest.mark.parametrize(
    "wanted",
    [
        entry("x", more="<VersionId>1</VersionId><IsCurrentVersion>true</IsCurrentVersion>"),
        entry("x", properties="<ResourceType>file</ResourceType>"),
        entry("x", metadata="<Metadata><hdi_isfolder>false</hdi_isfolder><Name>n</Name><Etag>e</Etag></Metadata>"),
        entry("x", metadata="<Metadata><Blob>b</Blob><Content-Length>7</Content-Length></Metadata>"),
        entry("x").replace(f"<Content-MD5>{MD5}</Content-MD5>", ""),
    ],
    ids=["current version", "file", "metadata like fields", "metadata like an entry", "no digest"],
)
def test_unusual_entries_are_read_like_others(wanted):
    page = listing.parse(document(entry("a"), wanted, entry("z")))
    assert (page.keys, page.sizes, page.etags) == (["a", "x", "z"], [1, 1, 1], ["0x8D"] * 3)


def broken(cut):
    return document(entry("a"), entry("b"))[:cut]


@pytest.mark.parametrize("cut", [0, 1, 40, 300, 600, -200, -60, -30, -1])
def test_L3_a_page_that_is_cut_off_raises(cut):
    with pytest.raises(ListingError):
        listing.parse(broken(cut))


@pytest.mark.parametrize(
    ("page", "complaint"),
    [
        (document(entry("a"), marker=""), "whether it is the last one"),
        (document(blobs=""), "no list of objects"),
        (b"<Error><Code>x</Code></Error>", "'Error' instead of a listing"),
        (b"not XML", "damaged"),
        (b"\xff\xff", "damaged"),
        (document(entry("")), "damaged"),
        (document(entry("a").replace("<Content-Length>1<", "<Content-Length>many<")), "damaged"),
        (document(entry("a").replace("<Content-Length>1</Content-Length>", "")), "damaged"),
        (document(entry("a").replace(f"<Last-Modified>{TIME}</Last-Modified>", "")), "damaged"),
    ],
    ids=range(9),
)
def test_L3_a_page_that_cannot_be_trusted_raises(page, complaint):
    with pytest.raises(ListingError, match=complaint):
        listing.parse(page)


def test_one_way_of_reading_says_what_the_other_does():
    """The fast way and the real parser, on a page of five thousand entries."""
    entries = [
        entry(f"folder/{number:05} & more", number, etag=f"0x{number:X}", md5=MD5 if number % 3 else "")
        for number in range(5000)
    ]
    usual = listing.parse(document(*entries))
    unusual = listing.parse(document(*entries, entry("z", more="<Deleted>true</Deleted>")))
    assert usual == unusual
    assert len(usual.keys) == 5000
