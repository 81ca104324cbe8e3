"""Updates to deliver, without a channel around them; and one whose content is beside it."""

import json

from cloudsync_core.body import Body
from cloudsync_core.channels.publisher import Message, Publisher
from cloudsync_core.channels.update import Update

ID = "20261120T203540.123456Z-1a2b3c4d"
CREATED = 1795206940.123456


def update(content="hello", *, topic="feeds/a", update_id=ID, content_type=None, metadata=None):
    """An update of the publisher `web1`."""
    kind = {str: "text", bytes: "bytes"}.get(type(content), "json")
    types = {"text": "text/plain; charset=utf-8", "bytes": "application/octet-stream", "json": "application/json"}
    data = (
        content
        if kind == "bytes"
        else (content if kind == "text" else json.dumps(content, separators=(",", ":"))).encode()
    )
    return Update(
        id=update_id,
        topic=topic,
        publisher="web1",
        created=CREATED,
        content_type=content_type or types[kind],
        metadata=metadata or {},
        kind=kind,
        size=len(data),
        key=f"updates/2026-11-20T20/{update_id}-web1.json",
        inline=content,
    )


def large_update(backend, content):
    """An update whose content is a payload of the channel `backend`."""
    return Publisher(backend, "web1", inline_max=0).publish(Message("large", content))


def damage_payload(backend, found):
    """Write other bytes of the same length where the content of an update is."""
    size = backend.stat(found.payload.key).size
    backend.put(found.payload.key, Body(b"?" * size))
