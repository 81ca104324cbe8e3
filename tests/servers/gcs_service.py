"""The paths of Google Cloud Storage's JSON API, and what is behind them.

https://cloud.google.com/storage/docs/json_api/v1: `/storage/v1` for everything, `/upload/storage/v1` for bytes up,
`/download/storage/v1` for bytes down as well, `/batch/storage/v1` for several calls at once. Names in a path are
percent-encoded, a slash in them too.
"""

from __future__ import annotations

import json
from typing import Any

from tests.servers.gcs_batch import batch
from tests.servers.gcs_conditions import check, check_kept
from tests.servers.gcs_copies import Copies
from tests.servers.gcs_downloads import download
from tests.servers.gcs_errors import Refusal, invalid, required
from tests.servers.gcs_fields import chosen
from tests.servers.gcs_http import Request, Response, decoded
from tests.servers.gcs_listing import page
from tests.servers.gcs_notifications import AGENT
from tests.servers.gcs_objects import Stored, merged
from tests.servers.gcs_store import Bucket, Store
from tests.servers.gcs_tokens import Tokens
from tests.servers.gcs_uploads import Uploads, json_body

_JSON = "application/json; charset=UTF-8"


class Service:
    """Answers requests.

    Args:
        page_size: entries of a listing's page at most.
        tokens: which access tokens are valid; without any, nobody is asked.
        rewrite_bytes: what one call of a rewrite does at most; without any, all.

    Attributes:
        url: where it is reached, for the links in its answers.
    """

    def __init__(
        self, *, page_size: int = 1000, tokens: Tokens | None = None, rewrite_bytes: int | None = None
    ) -> None:
        self.store = Store()
        self.tokens = tokens
        self.uploads = Uploads(self.store)
        self.url = ""
        self._copies = Copies(self.store, rewrite_bytes)
        self._page_size = page_size

    def answer(self, request: Request) -> Response:
        """Return what the service answers; nothing that a client sends makes this raise."""
        media = request.query.get("alt") == "media" or request.path.startswith("/download/")
        try:
            if request.path == "/token" and self.tokens is not None:
                return self.tokens.give(request)
            # Whoever knows a session may use it: its URL is a secret.
            if self.tokens is not None and "upload_id" not in request.query:
                self.tokens.check(request)
            return self._routed(request)
        except Refusal as refusal:
            return refusal.response(media=media)
        except UnicodeError:
            return invalid("The request's URL is not UTF-8.").response(media=media)

    def _routed(self, request: Request) -> Response:  # noqa: PLR0911, PLR0912 - the table of all paths
        api, _, rest = request.path.partition("/storage/v1")
        if api == "/batch":
            return batch(request, self.answer)
        parts = [decoded(part) for part in rest.split("/")[1:]]
        match (api, request.method, *parts):
            case ("/upload", _, "b", name, "o"):
                return self._upload(name, request)
            case ("/download", "GET" | "HEAD", "b", name, "o", key):
                return self._download(self._bucket(name, request), key, request)
            case ("", _, "b"):
                return self._buckets(request)
            case ("", _, "b", name):
                return self._one_bucket(name, request)
            case ("", "GET", "projects", _, "serviceAccount"):
                return _json({"kind": "storage#serviceAccount", "email_address": AGENT}, request)
            case ("", _, "b", name, "notificationConfigs", *rest) if len(rest) < 2:
                return self._notifications(self._bucket(name, request), rest, request)
            case ("", "GET", "b", name, "o"):
                return self._list(name, request)
            case ("", "POST", "b", name, "o"):
                return self._made(self._inserted(name, request), request)
            case ("", "GET" | "HEAD", "b", name, "o", key) if request.query.get("alt") == "media":
                return self._download(self._bucket(name, request), key, request)
            case ("", _, "b", name, "o", key):
                return self._one_object(self._bucket(name, request), key, request)
            case ("", "POST", "b", name, "o", key, "compose"):
                made = self._copies.compose(self._bucket(name, request), key, request.query, json_body(request.body))
                return self._made(made, request)
            case ("", "POST", "b", name, "o", key, "moveTo", "o", target):
                made = self._copies.move(self._bucket(name, request), key, target, request.query)
                return self._made(made, request)
            case ("", "POST", "b", name, "o", key, "copyTo" | "rewriteTo" as how, "b", other, "o", target):
                return self._copy(how, (name, key), (other, target), request)
        raise Refusal(404, "notFound", "Not Found")

    def _bucket(self, name: str, request: Request) -> Bucket:
        """Return a bucket to somebody who pays: https://cloud.google.com/storage/docs/requester-pays."""
        bucket = self.store.bucket(name)
        payer = request.query.get("userProject") or request.headers.get("x-goog-user-project")
        if bucket.settings.get("billing", {}).get("requesterPays") and not payer:
            raise Refusal(400, "required", "Bucket is a requester pays bucket but no user project provided.")
        return bucket

    def _upload(self, name: str, request: Request) -> Response:
        if "upload_id" in request.query:
            answer = self.uploads.proceed(request)
        elif request.method == "POST":
            answer = self._inserted(name, request)
        else:
            raise Refusal(405, "methodNotAllowed", "Method Not Allowed")
        return answer if isinstance(answer, Response) else self._made(answer, request)

    def _inserted(self, name: str, request: Request) -> Stored | Response:
        if not request.path.startswith("/upload/"):
            raise Refusal(400, "wrongUrlForUpload", "Uploads must be sent to the upload URL.")
        return self.uploads.insert(self._bucket(name, request), request, self.url)

    def _download(self, bucket: Bucket, key: str, request: Request) -> Response:
        with self.store.lock:
            found = bucket.existing(key, request.query.get("generation"))
            check(request.query, found)
        return download(found, request.headers)

    def _list(self, name: str, request: Request) -> Response:
        bucket = self._bucket(name, request)
        with self.store.lock:
            found = page(bucket, request.query, self._page_size, self.url)
        return _json(found, request)

    def _one_object(self, bucket: Bucket, key: str, request: Request) -> Response:
        query = request.query
        with self.store.lock:
            found = bucket.existing(key, query.get("generation"))
            check(query, found)
            match request.method:
                case "GET" | "HEAD":
                    pass
                case "PATCH":
                    _change(bucket, found, merged(found.fields, json_body(request.body)))
                case "PUT":
                    _change(bucket, found, merged({}, json_body(request.body)))
                case "DELETE":
                    check_kept(bucket, found)
                    bucket.remove(found, for_good="generation" in query or not bucket.versioned)
                    return Response(204)
                case _:
                    raise Refusal(405, "methodNotAllowed", "Method Not Allowed")
            return self._made(found, request)

    def _notifications(self, bucket: Bucket, identity: list[str], request: Request) -> Response:
        configs = bucket.notifications
        with self.store.lock:
            match (request.method, *identity):
                case ("GET",):
                    return _json(configs.list(), request)
                case ("POST",):
                    return _json(configs.insert(json_body(request.body), self.url), request)
                case ("GET", one):
                    return _json(configs.get(one), request)
                case ("DELETE", one):
                    configs.delete(one)
                    return Response(204)
        raise Refusal(405, "methodNotAllowed", "Method Not Allowed")

    def _copy(self, how: str, source: tuple[str, str], target: tuple[str, str], request: Request) -> Response:
        self._bucket(source[0], request)
        self._bucket(target[0], request)
        body = json_body(request.body)
        if how == "copyTo":
            return self._made(self._copies.copy(source, target, request.query, body), request)
        return _json(self._copies.rewrite(source, target, request.query, body, self.url), request)

    def _made(self, stored: Stored | Response, request: Request) -> Response:
        return stored if isinstance(stored, Response) else _json(stored.resource(self.url), request)

    def _buckets(self, request: Request) -> Response:
        if request.method == "POST":
            settings = json_body(request.body)
            name = settings.pop("name", None)
            if not name:
                raise required("name")
            return _json(self.store.make_bucket(name, settings).resource(self.url), request)
        if "project" not in request.query:
            raise required("project")
        prefix, start = request.query.get("prefix", ""), request.query.get("pageToken", "")
        with self.store.lock:
            names = [name for name in sorted(self.store.buckets) if name.startswith(prefix) and name >= start]
            found = [self.store.buckets[name].resource(self.url) for name in names[: self._page_size]]
        following = {"nextPageToken": names[self._page_size]} if len(names) > self._page_size else {}
        return _json({"kind": "storage#buckets", "items": found, **following}, request)

    def _one_bucket(self, name: str, request: Request) -> Response:
        with self.store.lock:
            bucket = self._bucket(name, request)
            match request.method:
                case "GET" | "HEAD":
                    pass
                case "PATCH" | "PUT":
                    changes: dict[str, Any] = json_body(request.body)
                    kept = bucket.settings if request.method == "PATCH" else {}
                    bucket.settings = {key: value for key, value in {**kept, **changes}.items() if value is not None}
                    bucket.metageneration += 1
                case "DELETE":
                    if not bucket.empty:
                        raise Refusal(409, "conflict", "The bucket you tried to delete is not empty.")
                    del self.store.buckets[name]
                    return Response(204)
                case _:
                    raise Refusal(405, "methodNotAllowed", "Method Not Allowed")
            return _json(bucket.resource(self.url), request)


def _change(bucket: Bucket, stored: Stored, fields: dict[str, Any]) -> None:
    stored.change(fields)
    bucket.notifications.tell("OBJECT_METADATA_UPDATE", stored)


def _json(resource: dict[str, Any], request: Request) -> Response:
    headers = {"content-type": _JSON}
    if "etag" in resource:
        headers["etag"] = resource["etag"]
    return Response(200, json.dumps(chosen(resource, request.query.get("fields"))).encode(), headers)
