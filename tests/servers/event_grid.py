"""Messages as Event Grid puts them into a storage queue: it runs nowhere but in Azure, so they are made here.

The shapes are those of https://learn.microsoft.com/azure/event-grid/event-schema-blob-storage.
"""

from __future__ import annotations

import base64
import itertools
import json
import uuid
from typing import Any

from tests.servers.azurite import AzureServer

SCHEMAS = ("event-grid", "cloud-events")

_TIME = "2026-11-20T17:00:00.1234567Z"
_APIS = {
    "BlobCreated": "PutBlob",
    "BlobDeleted": "DeleteBlob",
    "BlobRenamed": "RenameFile",
    "DirectoryCreated": "CreateDirectory",
    "DirectoryDeleted": "DeleteDirectory",
    "DirectoryRenamed": "RenameDirectory",
}
_sequence = itertools.count(0x4420)


def event(
    kind: str,
    account: str,
    container: str,
    name: str,
    *,
    schema: str = "event-grid",
    source: str | None = None,
    number: int | None = None,
) -> dict[str, Any]:
    """Return an event.

    Args:
        kind: its type without "Microsoft.Storage.".
        account: the storage account.
        container: in it.
        name: of the object or the directory; of a rename, the new one.
        schema: one of `SCHEMAS`.
        source: the old name.
        number: its place in the sequence of events; by default after all before it.
    """
    base = f"https://{account}.{'dfs' if source is not None else 'blob'}.core.windows.net/{container}"
    data: dict[str, Any] = {
        "api": _APIS.get(kind, "SetBlobTier"),
        "requestId": str(uuid.uuid4()),
        "sequencer": f"{next(_sequence) if number is None else number:032X}",
        "storageDiagnostics": {"batchId": str(uuid.uuid4())},
    }
    if source is None:
        data |= {"url": f"{base}/{name}", "eTag": "0x8D4BCC2E4835CD0", "contentLength": 7, "blobType": "BlockBlob"}
    else:
        data |= {"sourceUrl": f"{base}/{source}", "destinationUrl": f"{base}/{name}"}
    if kind == "DirectoryDeleted":
        data["recursive"] = "true"
    topic = (
        f"/subscriptions/{uuid.uuid4()}/resourceGroups/Storage/providers/Microsoft.Storage/storageAccounts/{account}"
    )
    common = {
        "subject": f"/blobServices/default/containers/{container}/blobs/{name}",
        "id": str(uuid.uuid4()),
        "data": data,
    }
    kind = f"Microsoft.Storage.{kind}"
    if schema == "cloud-events":
        return {"source": topic, "type": kind, "time": _TIME, "specversion": "1.0", **common}
    return {
        "topic": topic, "eventType": kind, "eventTime": _TIME, "dataVersion": "", "metadataVersion": "1", **common,
    }  # fmt: skip


def message(told: object, *, encoded: bool = True) -> str:
    """Return the text of a message with an event."""
    text = json.dumps(told)
    return base64.b64encode(text.encode()).decode() if encoded else text


def created(server: AzureServer, container: str, *names: str, kind: str = "BlobCreated") -> list[str]:
    """Return the messages about objects of a server's account, in each schema in turn, encoded and plain."""
    forms = itertools.cycle(itertools.product(SCHEMAS, (True, False)))
    return [
        message(event(kind, server.account_name, container, name, schema=schema), encoded=encoded)
        for name, (schema, encoded) in zip(names, forms, strict=False)
    ]
