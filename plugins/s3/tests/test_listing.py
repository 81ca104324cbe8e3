"""Pages of a listing: whole and consistent, or an error; every name exact."""

from urllib.parse import quote, quote_plus
from xml.sax.saxutils import escape

import pytest
from cloudsync_s3 import listing
from cloudsync_s3.listing import parse
from hypothesis import given
from hypothesis import strategies as st

from cloudsync_core.backends.objectstore.listing import ListedPage, ListingError

HEAD = '<?xml version="1.0" encoding="UTF-8"?>\n<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">'


def entry(key, size=5, etag='"5d41402abc4b2a76b9719d911017c592"', modified="2026-11-20T11:45:21.000Z"):
    return (
        f"<Contents><Key>{key}</Key><LastModified>{modified}</LastModified><ETag>{etag}</ETag>"
        f"<Size>{size}</Size><StorageClass>STANDARD</StorageClass></Contents>"
    )


def page(*entries, truncated="false", token=None, count=None, encoding="url"):
    more = f"<NextContinuationToken>{token}</NextContinuationToken>" if token is not None else ""
    told = f"<KeyCount>{len(entries) if count is None else count}</KeyCount>" if count != "" else ""
    encoded = f"<EncodingType>{encoding}</EncodingType>" if encoding else ""
    frame = f"<Name>b</Name><IsTruncated>{truncated}</IsTruncated>{more}{told}{encoded}"
    return f"{HEAD}{frame}{''.join(entries)}</ListBucketResult>".encode()


class TestOrdinaryPages:
    def test_columns(self):
        parsed = parse(page(entry("a", 1, '"e1"', "t1"), entry("b", 2, '"e2"', "t2"), truncated="true", token="next"))
        assert parsed == ListedPage(["a", "b"], [1, 2], ["e1", "e2"], ["t1", "t2"], "next")

    def test_empty(self):
        assert parse(page()) == ListedPage([], [], [], [], None)

    def test_token_of_a_last_page_is_not_followed(self):
        assert parse(page(entry("a"), token="next")).token is None

    def test_escaped_etags(self):
        assert parse(page(entry("a", etag="&quot;e&quot;"), entry("b", etag="&#34;f&#34;"))).etags == ["e", "f"]

    def test_etags_without_quotes(self):
        assert parse(page(entry("a", etag="e"))).etags == ["e"]

    def test_frame_may_come_last(self):
        frame = b"<IsTruncated>true</IsTruncated><NextContinuationToken>t</NextContinuationToken>"
        body = HEAD.encode() + entry("a").encode() + entry("b").encode() + frame + b"</ListBucketResult>"
        assert (parse(body).keys, parse(body).token) == (["a", "b"], "t")

    def test_pretty_printed(self):
        pretty = page(entry("a"), entry("b")).replace(b"><", b">\n    <")
        assert parse(pretty).keys == ["a", "b"]

    def test_the_quick_way_is_taken_for_them(self, monkeypatch):
        monkeypatch.setattr(listing, "_columns_of_tree", None)
        document = page(*(entry(f"k{number}") for number in range(1000)))
        assert len(parse(document).keys) == 1000


class TestUnusualPages:
    """What the real parser is for."""

    @pytest.mark.parametrize(
        ("change", "into"),
        [
            ("<Contents>", "<Contents >"),
            ("<Key>", "<Key  >"),
            ("<Size>5</Size>", "<Size> 5</Size>"),
            ("<Key>a</Key>", "<Key>&#97;</Key>"),
            ("<Key>a</Key>", "<Key><![CDATA[a]]></Key>"),
            ("<Contents>", "<Contents><!-- <Key>x</Key> -->"),
            ("</Contents>", "</Contents><Odd/>"),
            ("<StorageClass>", "<Owner><Key>x</Key></Owner><StorageClass>"),
        ],
    )
    def test_another_way_to_write_the_same(self, change, into):
        document = page(entry("a"), entry("b")).decode().replace(change, into, 1)
        if "> 5<" in into:
            with pytest.raises(ListingError):
                parse(document.encode())
        else:
            assert (parse(document.encode()).keys, parse(document.encode()).sizes) == (["a", "b"], [5, 5])

    def test_prefixed_namespace(self):
        document = page(entry("a")).decode().replace("<", "<s3:").replace("<s3:/", "</s3:").replace("<s3:?", "<?")
        document = document.replace("xmlns=", "xmlns:s3=")
        assert parse(document.encode()).keys == ["a"]

    def test_entry_without_etag_has_no_fingerprint(self):
        document = (
            page(entry("a"), entry("b")).decode().replace('<ETag>"5d41402abc4b2a76b9719d911017c592"</ETag>', "", 1)
        )
        assert parse(document.encode()).etags[0] == ""


class TestDamage:
    @pytest.mark.parametrize(
        "document",
        [
            b"",
            b"<html><body>Please log in</body></html>",
            page(entry("a"))[:-20],
            page(entry("a"), entry("b"))[:400],
            page(entry("a")) + page(entry("b")),
            page(entry("a")).replace(b"<Key>a</Key>", b""),
            page(entry("a"), entry("b")).replace(b"<Key>a</Key>", b""),
            page(entry("a"), entry("b")).replace(b"<Size>5</Size>", b"", 1),
            page(entry("a"), entry("b")).replace(b"<Key>a</Key>", b"<Key></Key>"),
            page(entry("a", size=-1)),
            page(entry("a", size="5 000")),
            page(entry("\x01"), encoding="").replace(b"<Size>", b"<Size >"),
            page(entry("a")).replace(b"<Key>a", b"<Key>\xff"),
        ],
        ids=lambda document: document[-60:].decode(errors="replace"),
    )
    def test_damaged_document_is_an_error(self, document):
        with pytest.raises(ListingError):
            parse(document)

    def test_error_in_a_page_of_status_200_is_an_error(self):
        with pytest.raises(ListingError, match="'Error' instead of a listing"):
            parse(b"<Error><Code>InternalError</Code></Error>")

    def test_A13_truncated_without_a_token_is_an_error(self):
        with pytest.raises(ListingError, match="where the next begins"):
            parse(page(entry("a"), truncated="true"))
        with pytest.raises(ListingError, match="where the next begins"):
            parse(page(entry("a"), truncated="true", token=""))

    @pytest.mark.parametrize("truncated", ["", "maybe"])
    def test_A13_page_that_does_not_say_whether_it_is_the_last_is_an_error(self, truncated):
        with pytest.raises(ListingError, match="whether it is the last one"):
            parse(page(entry("a"), truncated=truncated))

    @pytest.mark.parametrize("count", [0, 2, 1000])
    def test_A13_page_that_holds_another_number_of_keys_than_it_says_is_an_error(self, count):
        with pytest.raises(ListingError, match="holds 1"):
            parse(page(entry("a"), count=count))

    def test_count_may_be_left_out(self):
        assert parse(page(entry("a"), count="")).keys == ["a"]


names = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20)


class TestNames:
    @given(st.lists(names, max_size=5), st.sampled_from([quote, quote_plus]))
    def test_C11_names_are_decoded_exactly_once(self, keys, encode):
        assert parse(page(*(entry(encode(key, safe="")) for key in keys))).keys == keys

    @given(st.lists(names, max_size=5), st.sampled_from([quote, quote_plus]))
    def test_both_ways_read_the_same(self, keys, encode):
        document = page(*(entry(encode(key, safe="")) for key in keys))
        assert parse(document) == parse(document.replace(b"<Contents>", b"<Contents >"))

    @given(st.lists(st.text("ab&<>\"'%+; é\U0001f600", min_size=1), max_size=5))
    def test_names_of_servers_that_do_not_encode_are_not_decoded(self, keys):
        assert parse(page(*(entry(escape(key)) for key in keys), encoding="")).keys == keys

    def test_name_that_is_no_unicode_keeps_its_bytes(self):
        assert parse(page(entry("a%FF"))).keys == ["a\udcff"]


def test_A14_folders_of_an_answer():
    document = (
        b'<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><EncodingType>url</EncodingType>'
        b"<Contents><Key>x</Key></Contents><CommonPrefixes><Prefix>b%C3%A9+%2B/</Prefix></CommonPrefixes>"
        b"<CommonPrefixes><Prefix>a/</Prefix></CommonPrefixes>"
        b"<CommonPrefixes><Prefix>%FF/</Prefix></CommonPrefixes></ListBucketResult>"
    )
    assert listing.folders(document) == ["a/", "b\u00e9 +/"]
    with pytest.raises(ValueError, match="damaged"):
        listing.folders(document[:-5])
