"""Uploads that were cut short: what is there is known by content, and nothing of ours is left (H03, D08)."""

import dataclasses

import pytest

from cloudsync_core.errors import ThrottledError, UnavailableError, UnsupportedOperationError
from cloudsync_core.models import Attributes
from tests.engine.remembered import ProcessDiesError, Remembered, body_of, dying
from tests.servers.proxy import error

P = 1000
DATA = bytes(number * 31 % 251 for number in range(10 * P + 7))
PARTS = 11


def is_part(request):
    return request.method == "PUT" and "partNumber" in request.query


def is_abort(request):
    return request.method == "DELETE" and "uploadId" in request.query


def is_list_of_uploads(request):
    return request.method == "GET" and "uploads" in request.query


def is_list_of_parts(request):
    return request.method == "GET" and "uploadId" in request.query


class Cut:
    """A backend, an upload of which nobody could abort, and what is remembered of it."""

    def __init__(self, backend, proxy):
        self.backend = backend
        self.proxy = proxy
        self.remembered = Remembered()
        self.bucket = backend.place.bucket
        body = dying([DATA[: 5 * P]], len(DATA))
        body.resumption = self.remembered
        proxy.answer(is_abort, error(500, "InternalError"), times=9)
        with pytest.raises(ProcessDiesError):
            backend.put("key", body)
        self.upload = self.remembered.token.split()[0]
        # The body holds one chunk back, and so no byte of it was sent.
        for number in range(1, 6):
            part = DATA[(number - 1) * P : number * P]
            self.client.upload_part(**self.named, PartNumber=number, Body=part)
        proxy.answer(lambda _: False, None)
        proxy.requests.clear()

    @property
    def client(self):
        return self.backend.server.client

    @property
    def named(self):
        return {"Bucket": self.bucket, "Key": "root/key", "UploadId": self.upload}

    def put(self, data=DATA, **options):
        return self.backend.put("key", body_of(data, self.remembered), **options)

    @property
    def sent(self):
        """The numbers of the parts that were sent since."""
        return sorted(int(request.query["partNumber"]) for request in self.proxy.requests if is_part(request))

    @property
    def stored(self):
        return self.backend.server.contents(self.bucket).get("root/key")

    def nothing_is_left(self):
        listed = self.client.list_multipart_uploads(Bucket=self.bucket)
        return self.remembered.token is None and "Uploads" not in listed


@pytest.fixture
def cut(moto_proxy, open_s3):
    bucket = moto_proxy.server.make_bucket()
    backend = open_s3(moto_proxy.server, bucket, "root", multipart_threshold=P, part_size=P)
    return Cut(backend, moto_proxy)


def test_H03_parts_that_are_there_are_not_sent_again(cut):
    written = cut.put()
    assert cut.stored == DATA
    assert cut.sent == [6, 7, 8, 9, 10, 11]
    assert cut.remembered.bytes_kept == 5 * P
    assert [digest.algorithm for digest in written.digests] == [f"md5/{P}"]
    assert cut.nothing_is_left()


def test_H03_a_list_of_parts_that_has_pages(cut):
    def two_a_page(request, forward):
        target = f"{request.target}&max-parts=2"
        return forward(dataclasses.replace(request, target=target) if is_list_of_parts(request) else None)

    cut.proxy.rule = two_a_page
    cut.put()
    assert (cut.stored, cut.sent) == (DATA, [6, 7, 8, 9, 10, 11])
    assert sum(map(is_list_of_parts, cut.proxy.requests)) == 3


def test_H03_what_is_there_is_known_by_its_content(cut):
    cut.client.upload_part(**cut.named, PartNumber=2, Body=bytes(P))
    cut.client.upload_part(**cut.named, PartNumber=4, Body=DATA[3 * P : 4 * P - 1])
    cut.proxy.requests.clear()
    cut.put()
    assert (cut.stored, cut.sent) == (DATA, [2, 4, 6, 7, 8, 9, 10, 11])
    assert cut.nothing_is_left()


def test_H03_parts_beyond_the_end_do_not_become_content(cut):
    cut.client.upload_part(**cut.named, PartNumber=PARTS + 1, Body=bytes(P))
    cut.put()
    assert cut.stored == DATA


def test_H03_an_upload_that_is_gone_is_begun_anew(cut):
    cut.client.abort_multipart_upload(**cut.named)
    cut.put()
    assert (cut.stored, len(cut.sent), cut.remembered.bytes_kept) == (DATA, PARTS, 0)
    assert cut.nothing_is_left()


def test_H03_an_upload_that_was_begun_with_other_attributes_is_aborted(cut):
    cut.put(attributes=Attributes(cache_control="no-cache"))
    assert (cut.stored, len(cut.sent)) == (DATA, PARTS)
    assert cut.backend.stat("key").attributes.cache_control == "no-cache"
    assert cut.nothing_is_left()


def test_H03_an_upload_in_parts_of_another_size_is_aborted(cut, open_s3):
    cut.backend = open_s3(cut.proxy.server, cut.bucket, "root", multipart_threshold=P, part_size=2 * P)
    cut.put()
    assert (cut.stored, len(cut.sent)) == (DATA, 6)
    assert cut.nothing_is_left()


def test_H03_a_server_that_does_not_answer_is_asked_again_later(cut):
    cut.proxy.answer(is_list_of_parts, error(503, "ServiceUnavailable"))
    with pytest.raises(ThrottledError):
        cut.put()
    assert cut.remembered.token is not None
    cut.put()
    assert (cut.stored, cut.sent) == (DATA, [6, 7, 8, 9, 10, 11])


def test_H03_whoever_may_not_look_at_the_parts_begins_anew(cut):
    cut.proxy.answer(is_list_of_parts, error(403, "AccessDenied"))
    cut.put()
    assert (cut.stored, len(cut.sent)) == (DATA, PARTS)
    assert cut.nothing_is_left()


def test_D08_a_failure_in_order_leaves_nothing_to_go_on_from(cut):
    cut.proxy.answer(is_part, error(500, "InternalError"))
    with pytest.raises(UnavailableError):
        cut.put()
    assert cut.stored is None
    assert cut.nothing_is_left()


def test_uploads_of_others_are_told_apart(cut):
    other = cut.client.create_multipart_upload(Bucket=cut.bucket, Key="root/other")["UploadId"]
    cut.client.create_multipart_upload(Bucket=cut.bucket, Key="rooted")
    found = {one.key: one for one in cut.backend.leftovers([("key", cut.remembered.token), ("gone", "x 1 y")])}
    assert {key: (one.recorded, one.ours) for key, one in found.items()} == {
        "key": (True, True), "other": (False, False)
    }  # fmt: skip
    assert found["other"].token == other
    for one in found.values():
        cut.backend.discard(one.key, one.token)
        cut.backend.discard(one.key, one.token)
    assert list(cut.backend.leftovers()) == []


def test_a_list_of_uploads_that_has_pages(cut):
    for number in range(5):
        cut.client.create_multipart_upload(Bucket=cut.bucket, Key=f"root/{number}")
    whole = [(one.key, one.token) for one in cut.backend.leftovers()]
    assert len(whole) == 6

    def page(request, forward):
        """Answer as a server that has two uploads a page, which moto cannot."""
        answer = forward()
        if not is_list_of_uploads(request):
            return answer
        start = int(request.query.get("key-marker", "0"))
        rows = answer.body.decode().split("<Upload>")
        head, uploads = rows[0], [f"<Upload>{row.partition('</Upload>')[0]}</Upload>" for row in rows[1:]]
        more = start + 2 < len(uploads)
        head = head.replace("<IsTruncated>false</IsTruncated>", "")
        told = f"<IsTruncated>true</IsTruncated><NextKeyMarker>{start + 2}</NextKeyMarker>" if more else ""
        body = f"{head}{told}{''.join(uploads[start : start + 2])}</ListMultipartUploadsResult>"
        return dataclasses.replace(answer, body=body.encode(), headers={"content-type": "application/xml"})

    cut.proxy.rule = page
    assert sorted((one.key, one.token) for one in cut.backend.leftovers()) == sorted(whole)
    assert all(request.query["prefix"] == "root/" for request in cut.proxy.requests if is_list_of_uploads(request))


def test_E1_a_server_that_tells_of_no_uploads_is_said_to_be_one(rclone_s3, open_s3):
    backend = open_s3(rclone_s3, rclone_s3.make_bucket(), "root", ordered_listing=False)
    with pytest.raises(UnsupportedOperationError, match="does not tell which uploads are unfinished"):
        list(backend.leftovers([]))
