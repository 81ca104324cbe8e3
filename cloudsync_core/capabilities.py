"""What a backend can do, as one value that the engine reads before it asks."""

from __future__ import annotations

import dataclasses


@dataclasses.dataclass(frozen=True, slots=True)
class Capabilities:
    """What a backend can do. No flag lies (clause C1), and none exists that nothing reads.

    Attributes:
        ordered_listing: listings come in ascending order of the keys' UTF-8 bytes (clause L1).
        hierarchical: names form a directory tree: no object beside a folder of the same name, no empty or
            dotted segments, and a folder exists by itself. A listing has a marker `x/` for each empty folder
            `x` and for no other; a marker whose folder holds something is there without being listed.
        put_if_absent: `put` honours `IF_ABSENT`.
        put_if_match: `put` honours `IfMatch`.
        delete_if_match: `delete` and `delete_many` honour `if_match`.
        conditional_put_max: the most bytes of an object that is put under one of these conditions, or `None` where that
            makes no difference.
        conditional_copy: `copy` honours the conditions that `put` does.
        range_get: `get` honours `byte_range`.
        server_copy: `copy` can move the bytes inside the provider, see `Backend.can_copy_from`.
        user_metadata: attributes other than `mtime_ns` are stored and returned.
        stores_mtime: `Attributes.mtime_ns` is stored and returned.
        local_reads: reading an object costs no network, so its digest may be computed to avoid a transfer.
        bulk_delete_max: the most keys that one request of `delete_many` takes; 1 where there is no such request.
        max_object_size: bytes, or `None` where there is no known limit.
        put_memory: the most bytes of one object that a put holds in memory at a time, however large the object is.
        max_key_bytes: bytes of the key in UTF-8, or `None` where there is no known limit.
    """

    ordered_listing: bool = False
    hierarchical: bool = False
    put_if_absent: bool = False
    put_if_match: bool = False
    delete_if_match: bool = False
    conditional_put_max: int | None = None
    conditional_copy: bool = True
    range_get: bool = False
    server_copy: bool = False
    user_metadata: bool = False
    stores_mtime: bool = False
    local_reads: bool = False
    bulk_delete_max: int = 1
    max_object_size: int | None = None
    max_key_bytes: int | None = None
    put_memory: int = 2 * 1024 * 1024
