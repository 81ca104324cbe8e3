"""The operations of S3 that are asked over the wire: botocore's parameters as requests, answers as its responses.

What is not here, an operation or a parameter, botocore itself has to say.
"""

from __future__ import annotations

import base64
import datetime as dt
import email.utils
import hashlib
from collections.abc import Mapping
from typing import Any, NamedTuple
from urllib.parse import quote
from xml.etree import ElementTree as ET
from xml.sax.saxutils import escape

from botocore.exceptions import ClientError
from botocore.parsers import ResponseParserError, create_parser

from cloudsync_s3.wire import NO_PAYLOAD, Answer, Request

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
        fixed: the query parameters that make it this operation.
        may_fail_late: whether a success can hold an error in its body (D11).
    """

    name: str
    method: str
    query: Mapping[str, str] = {}
    headers: Mapping[str, str] = {}
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
    "copy_object": Operation(
        "CopyObject",
        "PUT",
        headers={
            **_ATTRIBUTES,
            **_CONDITIONS,
            "CopySourceIfMatch": "x-amz-copy-source-if-match",
            "MetadataDirective": "x-amz-metadata-directive",
        },
        may_fail_late=True,
    ),
    "delete_object": Operation("DeleteObject", "DELETE", headers=_CONDITIONS),
    "delete_objects": Operation("DeleteObjects", "POST", fixed={"delete": ""}, may_fail_late=True),
}
"""By the names of botocore's methods."""


def request(operation: Operation, parameters: Mapping[str, Any]) -> Request | None:
    """Return the request for an operation with botocore's parameters, `None` where one of them is not known here."""
    key: str | None = None
    query = dict(operation.fixed)
    headers: dict[str, str] = {}
    body = b""
    for name, value in parameters.items():
        if name in operation.query:
            query[operation.query[name]] = str(value)
        elif name in operation.headers:
            headers[operation.headers[name]] = value
        elif name == "Key":
            key = value
        elif name == "CopySource" and operation.name == "CopyObject":
            headers["x-amz-copy-source"] = quote(f"{value['Bucket']}/{value['Key']}", safe="/-._~")
        elif name == "Metadata" and operation.name == "CopyObject":
            headers.update({f"{_METADATA}{name}": text for name, text in value.items()})
        elif name == "Delete" and operation.name == "DeleteObjects":
            body = _keys_to_delete(value)
            headers["content-type"] = "application/xml"
            headers["content-md5"] = base64.b64encode(hashlib.md5(body, usedforsecurity=False).digest()).decode("ascii")
        elif name != "Bucket":
            return None
    payload = hashlib.sha256(body).hexdigest() if body else NO_PAYLOAD
    return Request(operation.method, key, query, headers, body, len(body), payload)


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
    if operation.name == "HeadObject":
        if headers.get("content-length", "").isdecimal():
            found["ContentLength"] = int(headers["content-length"])
        if "last-modified" in headers:
            found["LastModified"] = _moment(headers["last-modified"])
    elif operation.name == "CopyObject":
        found["CopyObjectResult"] = {} if document is None else _fields(document)
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


def _keys_to_delete(delete: Mapping[str, Any]) -> bytes:
    keys = "".join(f"<Object><Key>{escape(entry['Key'])}</Key></Object>" for entry in delete["Objects"])
    return f'<Delete xmlns="{_NAMESPACE}">{keys}<Quiet>{str(delete["Quiet"]).lower()}</Quiet></Delete>'.encode()


def _moment(text: str) -> dt.datetime:
    try:
        moment = email.utils.parsedate_to_datetime(text)
    except ValueError as error:
        raise ResponseParserError(f"{text!r} is no time") from error
    return moment if moment.tzinfo else moment.replace(tzinfo=dt.UTC)


def _fields(element: ET.Element) -> dict[str, str]:
    return {_name(child): child.text or "" for child in element}


def _name(element: ET.Element) -> str:
    return element.tag.rpartition("}")[2]
