"""Channels that hold what a test wants, put there without a publisher."""

import json
import time

from cloudsync_core.body import Body
from cloudsync_core.channels import compression, envelope, ids, names
from cloudsync_core.channels.update import Update

NOW_NS = time.time_ns()
SECOND_NS = 1_000_000_000


def moment(seconds=0.0):
    """Return an id of so many seconds after this module was imported."""
    return ids.new(NOW_NS + int(seconds * SECOND_NS))


def put(backend, *contents, object_id=None, publisher="pub", topic="news", compress=False, payload=None):
    """Put one object with an update for each content, which may be a pair of topic and content; return its id."""
    object_id = object_id or ids.new(time.time_ns())
    key = names.update_key(object_id, publisher, compressed=compress)
    lines = []
    for index, content in enumerate(contents):
        its_topic, text = content if isinstance(content, tuple) else (topic, content)
        lines.append(
            envelope.encode(
                Update(
                    id=ids.nth(object_id, index),
                    topic=its_topic,
                    publisher=publisher,
                    created=ids.time_ns(object_id) / SECOND_NS,
                    content_type="text/plain",
                    metadata={},
                    kind="text",
                    size=len(text),
                    key=key,
                    inline=text,
                    payload=payload,
                )
            )
        )
    data = b"".join(lines)
    backend.put(key, Body(compression.compressed(data) if compress else data))
    return object_id


def put_raw(backend, data, object_id=None, publisher="pub"):
    """Put an object of any bytes under the name of one of updates; return its key."""
    key = names.update_key(object_id or ids.new(time.time_ns()), publisher, compressed=False)
    backend.put(key, Body(data))
    return key


def put_newer(backend, object_id=None):
    """Put an object of a format that nobody knows; return its key."""
    return put_raw(backend, json.dumps({"format": envelope.FORMAT + 1}).encode() + b"\n", object_id)
