"""The operations of S3 that are asked over the wire: botocore's parameters as requests, answers as its responses.

What is not here, an operation or a parameter, botocore itself has to say.
"""

from __future__ import annotations

import base64
import datetime as dt
import email.utils
import functools
import hashlib
from collections.abc import Mapping
from typing import Any, NamedTuple
from urllib.parse import quote
from xml.etree import ElementTree as ET
from xml.sax.saxutils import escape

from botocore.exceptions import ClientError
from botocore.parsers import ResponseParserError, create_parser

from cloudsync_core.backends.objectstore.wire import Answer, Request
from cloudsync_s3.address import Address
from cloudsync_s3.signing import NO_PAYLOAD, UNSIGNED_PAYLOAD

_NAMESPACE = "http://s3.amazonaws.com/doc/2006-03-01/"
_METADATA = "x-amz-meta-"

_ATTRIBUTES = {
    "CacheControl": "cache-control",
    "ContentDisposition": "content-disposition",
    "ContentEncoding": "content-encoding",
    "ContentLanguage": "content-language",
    "ContentType": "content-type",
}
_CONDITIONS = {"IfMatch": "if-match", "IfNoneMatch": "if-none-match"}
_NAMES = ("Bucket", "Key")
_UPLOAD = {"UploadId": "uploadId"}
_PART = {**_UPLOAD, "PartNumber": "partNumber"}
_TOLD = {
    **_ATTRIBUTES,
    "ETag": "etag",
    "SSECustomerAlgorithm": "x-amz-server-side-encryption-customer-algorithm",
    "ServerSideEncryption": "x-amz-server-side-encryption",
    "StorageClass": "x-amz-storage-class",
    "VersionId": "x-amz-version-id",
}

_ERRORS = create_parser("rest-xml")


class Operation(NamedTuple):
    """How an operation is asked.

    Attributes:
        name: as botocore has it in its errors.
        method: of HTTP.
        query: names of query parameters by those of botocore's.
        headers: names of headers by those of botocore's parameters.
        others: those of botocore's parameters that are said otherwise.
        fixed: the query parameters that make it this operation.
        may_fail_late: whether its answer is a document, in which a success can turn out to be an error (D11).
    """

    name: str
    method: str
    query: Mapping[str, str] = {}
    headers: Mapping[str, str] = {}
    others: tuple[str, ...] = ()
    fixed: Mapping[str, str] = {}
    may_fail_late: bool = False


OPERATIONS: Mapping[str, Operation] = {
    "list_objects_v2": Operation(
        "ListObjectsV2",
        "GET",
        query={
            "ContinuationToken": "continuation-token",
            "Delimiter": "delimiter",
            "EncodingType": "encoding-type",
            "MaxKeys": "max-keys",
            "Prefix": "prefix",
            "StartAfter": "start-after",
        },
        fixed={"list-type": "2"},
    ),
    "head_object": Operation("HeadObject", "HEAD", headers=_CONDITIONS),
    "get_object": Operation("GetObject", "GET", headers={**_CONDITIONS, "Range": "range"}),
    "put_object": Operation(
        "PutObject",
        "PUT",
        headers={**_ATTRIBUTES, **_CONDITIONS, "ContentMD5": "content-md5"},
        others=("Body", "Metadata"),
    ),
    "copy_object": Operation(
        "CopyObject",
        "PUT",
        headers={
            **_ATTRIBUTES,
            **_CONDITIONS,
            "CopySourceIfMatch": "x-amz-copy-source-if-match",
            "MetadataDirective": "x-amz-metadata-directive",
        },
        others=("CopySource", "Metadata"),
        may_fail_late=True,
    ),
    "create_multipart_upload": Operation(
        "CreateMultipartUpload",
        "POST",
        headers=_ATTRIBUTES,
        others=("Metadata",),
        fixed={"uploads": ""},
        may_fail_late=True,
    ),
    "upload_part": Operation(
        "UploadPart", "PUT", query=_PART, headers={"ContentMD5": "content-md5"}, others=("Body", "ContentLength")
    ),
    "upload_part_copy": Operation(
        "UploadPartCopy",
        "PUT",
        query=_PART,
        headers={"CopySourceIfMatch": "x-amz-copy-source-if-match", "CopySourceRange": "x-amz-copy-source-range"},
        others=("CopySource",),
        may_fail_late=True,
    ),
    "complete_multipart_upload": Operation(
        "CompleteMultipartUpload",
        "POST",
        query=_UPLOAD,
        headers=_CONDITIONS,
        others=("MultipartUpload",),
        may_fail_late=True,
    ),
    "abort_multipart_upload": Operation("AbortMultipartUpload", "DELETE", query=_UPLOAD),
    "delete_object": Operation("DeleteObject", "DELETE", headers=_CONDITIONS),
    "delete_objects": Operation("DeleteObjects", "POST", others=("Delete",), fixed={"delete": ""}, may_fail_late=True),
}
"""By the names of botocore's methods."""


def request(operation: Operation, parameters: Mapping[str, Any], address: Address) -> Request | None:
    """Return the request for an operation with botocore's parameters, `None` where one of them is not known here.

    Args:
        operation: what is asked.
        parameters: of what; the SHA-256 of the content is the request's `payload`, or `UNSIGNED_PAYLOAD`.
        address: of the bucket.
    """
    query = dict(operation.fixed)
    headers: dict[str, str] = {}
    for name, value in parameters.items():
        if name in operation.query:
            query[operation.query[name]] = str(value)
        elif name in operation.headers:
            headers[operation.headers[name]] = value
        elif name not in _NAMES and name not in operation.others:
            return None
    headers.update({f"{_METADATA}{name}": text for name, text in parameters.get("Metadata", {}).items()})
    if "CopySource" in parameters:
        source = parameters["CopySource"]
        headers["x-amz-copy-source"] = quote(f"{source['Bucket']}/{source['Key']}", safe="/-._~")
    path = address.path(parameters.get("Key"))
    if "Body" in parameters:
        content = parameters["Body"]
        if isinstance(content, bytes):
            # Its MD5, which is signed, vouches for it: to hash all of it once more would cost more than to send it.
            payload = UNSIGNED_PAYLOAD if "ContentMD5" in parameters else hashlib.sha256(content).hexdigest()
            return Request(operation.method, path, query, headers, content, len(content), payload)
        size = parameters["ContentLength"]
        return Request(operation.method, path, query, headers, content, size, UNSIGNED_PAYLOAD)
    body = _document_of(parameters)
    if body:
        headers["content-type"] = "application/xml"
        headers["content-md5"] = base64.b64encode(hashlib.md5(body, usedforsecurity=False).digest()).decode("ascii")
    payload = hashlib.sha256(body).hexdigest() if body else NO_PAYLOAD
    return Request(operation.method, path, query, headers, body, len(body), payload)


def response(operation: Operation, answer: Answer) -> dict[str, Any]:
    """Return an answer as botocore would.

    Raises:
        botocore.exceptions.ClientError: the server refused.
        botocore.parsers.ResponseParserError: the answer is damaged.
    """
    document = _document(operation, answer)
    headers = answer.headers
    found: dict[str, Any] = {name: headers[header] for name, header in _TOLD.items() if header in headers}
    found["Metadata"] = {
        name.removeprefix(_METADATA): value for name, value in headers.items() if name.startswith(_METADATA)
    }
    found["ResponseMetadata"] = {"HTTPStatusCode": answer.status, "HTTPHeaders": headers}
    if operation.name in {"HeadObject", "GetObject"}:
        if "content-range" in headers:
            found["ContentRange"] = headers["content-range"]
        if headers.get("content-length", "").isdecimal():
            found["ContentLength"] = int(headers["content-length"])
        if "last-modified" in headers:
            found["LastModified"] = _moment(headers["last-modified"])
    elif operation.name == "CopyObject":
        found["CopyObjectResult"] = {} if document is None else _fields(document)
    elif operation.name == "UploadPartCopy":
        found["CopyPartResult"] = {} if document is None else _fields(document)
    elif operation.name in {"CreateMultipartUpload", "CompleteMultipartUpload"}:
        found.update({} if document is None else _fields(document))
        wanted = "UploadId" if operation.name == "CreateMultipartUpload" else "ETag"
        if wanted not in found:
            raise ResponseParserError(f"the answer holds no {wanted}")
    elif operation.name == "DeleteObjects":
        entries = [] if document is None else list(document)
        found["Deleted"] = [_fields(entry) for entry in entries if _name(entry) == "Deleted"]
        found["Errors"] = [_fields(entry) for entry in entries if _name(entry) == "Error"]
    return found


def _document(operation: Operation, answer: Answer) -> ET.Element | None:
    """Return the document in a success, `None` where there is none that matters."""
    if not answer.is_success:
        raise _refusal(operation, answer, answer.status)
    if not operation.may_fail_late or not answer.body:
        return None
    try:
        document = ET.fromstring(answer.body)  # noqa: S314 - expat resolves nothing external and bounds entities
    except ET.ParseError:
        # As botocore has it: cut off by whatever went wrong there.
        raise _refusal(operation, answer, 500) from None
    if _name(document) == "Error":
        raise _refusal(operation, answer, 500)
    return document


def _refusal(operation: Operation, answer: Answer, status: int) -> ClientError:
    parsed = _ERRORS.parse({"status_code": max(status, 301), "headers": answer.headers, "body": answer.body}, None)
    return ClientError(parsed, operation.name)


def _document_of(parameters: Mapping[str, Any]) -> bytes:
    """Return the document that a request sends, if it sends one."""
    if "Delete" in parameters:
        return _keys_to_delete(parameters["Delete"])
    if "MultipartUpload" in parameters:
        return _parts_to_complete(parameters["MultipartUpload"])
    return b""


def _keys_to_delete(delete: Mapping[str, Any]) -> bytes:
    keys = "".join(f"<Object><Key>{escape(entry['Key'])}</Key></Object>" for entry in delete["Objects"])
    return f'<Delete xmlns="{_NAMESPACE}">{keys}<Quiet>{str(delete["Quiet"]).lower()}</Quiet></Delete>'.encode()


def _parts_to_complete(upload: Mapping[str, Any]) -> bytes:
    parts = "".join(
        f"<Part><ETag>{escape(part['ETag'])}</ETag><PartNumber>{part['PartNumber']}</PartNumber></Part>"
        for part in upload["Parts"]
    )
    return f'<CompleteMultipartUpload xmlns="{_NAMESPACE}">{parts}</CompleteMultipartUpload>'.encode()


@functools.lru_cache(maxsize=64)
def _moment(text: str) -> dt.datetime:
    """Return the moment that a header tells; objects that were written together share it."""
    try:
        moment = email.utils.parsedate_to_datetime(text)
    except ValueError as error:
        raise ResponseParserError(f"{text!r} is no time") from error
    return moment if moment.tzinfo else moment.replace(tzinfo=dt.UTC)


def _fields(element: ET.Element) -> dict[str, str]:
    return {_name(child): child.text or "" for child in element}


def _name(element: ET.Element) -> str:
    return element.tag.rpartition("}")[2]
