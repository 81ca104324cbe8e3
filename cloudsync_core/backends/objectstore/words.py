"""What objects carry, as the values of HTTP headers say it, and what no header can say.

Values are ASCII there. Other text travels as one encoded word of RFC 2047, the form in which some stores return it by
themselves.
"""

from __future__ import annotations

import base64
import email.errors
import email.header
import re

from cloudsync_core.errors import Disposition, UnsupportedOperationError

_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_ENCODED_WORD = re.compile(r"=\?[^?]+\?[bBqQ]\?[^?]*\?=")


class AttributesError(UnsupportedOperationError):
    """A store cannot keep what an object carries; the message says which attribute, and not its value."""

    default_disposition = Disposition.SKIP


def has_control(value: str) -> bool:
    """Tell whether there is a control character in a value, which would end it or the header."""
    return _CONTROL.search(value) is not None


def is_unicode(text: str) -> bool:
    """Tell whether text can be written as UTF-8, which lone surrogates cannot."""
    if text.isascii():
        return True
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def encoded(value: str, *, store: str, spaces_kept: bool = True) -> str:
    """Return a value of metadata as a header can carry it, so that `decoded` returns just that.

    What a reader would take for an encoded word is encoded, too.

    Args:
        value: the text.
        store: the name of the store, for the message.
        spaces_kept: the store keeps empty values, and several spaces in a row, as they are.

    Raises:
        AttributesError: it is not valid Unicode.
    """
    plain = value == value.strip() if spaces_kept else bool(value) and " ".join(value.split()) == value
    if value.isascii() and plain and not has_control(value) and not _ENCODED_WORD.search(value):
        return value
    if not is_unicode(value):
        raise AttributesError(f"{store} cannot store metadata that is not valid Unicode")
    return f"=?UTF-8?B?{base64.b64encode(value.encode()).decode('ascii')}?="


def decoded(value: str) -> str:
    """Return what the value of a header says; itself where it holds no encoded word that can be read."""
    if not _ENCODED_WORD.search(value):
        return value
    try:
        return str(email.header.make_header(email.header.decode_header(value)))
    except (ValueError, LookupError, email.errors.HeaderParseError):
        return value
