"""Going on with an upload in blocks that a crash has cut short: how its blocks are named, and which of them are there.

The name of a block tells its place and its content, after a beginning that is the upload's own. So what is there is
known by its content, and two uploads could list a block of each other's only if it were the same.
"""

from __future__ import annotations

import base64
import binascii
import dataclasses
import os
from typing import Final
from xml.etree import ElementTree as ET

from cloudsync_azure import operations
from cloudsync_azure.connection import Connection
from cloudsync_azure.errors import RefusedError
from cloudsync_core.errors import UnexpectedBackendError

_RANDOM_BYTES: Final = 12
_NUMBER_BYTES: Final = 3
_NO_CONTENT: Final = bytes(16)
_NOT_FOUND: Final = 404


@dataclasses.dataclass(frozen=True, slots=True)
class Block:
    """A block that the server has, and no object holds.

    Attributes:
        name: its name, decoded.
        size: bytes.
    """

    name: bytes
    size: int


def new_random() -> bytes:
    """Return what the names of the blocks of a new upload begin with."""
    return os.urandom(_RANDOM_BYTES)


def name_of(random: bytes, number: int, md5: bytes = _NO_CONTENT) -> bytes:
    """Return the name of a block; all have the same length, as the service wants it of those of an object.

    Args:
        random: what those of the upload begin with.
        number: of the block, from 0.
        md5: of the content, where it passes through this machine.
    """
    return random + number.to_bytes(_NUMBER_BYTES, "big") + md5


def encoded(name: bytes) -> str:
    """Return a name as requests have it."""
    return base64.b64encode(name).decode("ascii")


def token_of(random: bytes, part: int) -> str:
    """Return the token of an upload in blocks of so many bytes."""
    return f"{random.hex()} {part}"


def random_of(token: str) -> bytes:
    """Return what the names of the blocks begin with, of the upload that a token names."""
    try:
        return bytes.fromhex(token.partition(" ")[0])
    except ValueError:
        return b""


def held_blocks(connection: Connection, path: str) -> list[Block]:
    """Return the blocks of an object that are in no list, whoever brought them.

    Args:
        connection: to the server.
        path: of requests about the object.

    Raises:
        RefusedError, TransportError: the server refused, for another reason than that there are none.
        UnexpectedBackendError: the answer is damaged.
    """
    try:
        answer = connection.call(operations.get_block_list(path))
    except RefusedError as refusal:
        if refusal.answer.status == _NOT_FOUND and refusal.code != "ContainerNotFound":
            return []
        raise
    try:
        tree = ET.fromstring(answer.body)  # noqa: S314 - expat resolves nothing external and bounds entities
        return [
            Block(base64.b64decode(block.findtext("Name", ""), validate=True), int(block.findtext("Size", "-1")))
            for block in tree.iterfind("UncommittedBlocks/Block")
        ]
    except (ET.ParseError, binascii.Error, ValueError) as error:
        raise UnexpectedBackendError("the server's list of blocks is damaged") from error
