"""Where a long listing may be cut into parts: guesses, from keys that were listed and from the server's folders.

Nothing depends on a guess but the time that it saves: whoever reads the parts proves that they fit together.
"""

from __future__ import annotations

import string
import sys
from collections.abc import Iterator, Sequence

from cloudsync_core import keys

_SEEN_OF_A_FOLDER = 10
"""Sampled keys, on an average, of a folder on a level that is fit for cutting; smaller ones lie too close together."""

_LONGEST_GUESS = 128
"""Characters of a key at most that are counted up."""

_WIDEST = 1000
_MORE = 3
"""How much further than they were seen to differ characters may go that are in none of the usual alphabets."""

_ALPHABETS = (
    string.digits,
    string.digits + "abcdef",
    string.digits + "ABCDEF",
    string.ascii_lowercase,
    string.ascii_uppercase,
    "".join(sorted(string.digits + string.ascii_letters)),
)


def levels(sample: Sequence[str], prefix: str) -> list[tuple[str, float]]:
    """Return the folders on the way to the last key of `sample` whose own folders are fit for cutting, innermost first.

    Args:
        sample: consecutive keys of a listing, or some of them at even distances.
        prefix: what all keys start with; nothing above it is of use.

    Returns:
        For each folder, ended by a slash, the part of the sample that lies in each of its folders, on an average.
    """
    found = []
    last = sample[-1]
    end = last.rfind("/") + 1
    while end >= len(prefix):
        folder = last[:end]
        inside = [key for key in sample if key.startswith(folder)]
        children = {key[: key.find("/", end) + 1] or key for key in inside}
        if len(inside) >= _SEEN_OF_A_FOLDER * len(children):
            found.append((folder, len(inside) / len(children) / len(sample)))
        if end == 0:
            break
        end = last.rfind("/", 0, end - 1) + 1
    return found


def beyond(sample: Sequence[str], count: int) -> Iterator[str]:
    """Yield up to `count` texts, each as far beyond the one before as the last key of `sample` is beyond its first.

    The keys are taken for numbers whose digits are the characters that occur at each place. That is right for counters
    and digests, and near enough for most names.
    """
    first, last = sample[0], sample[-1]
    width = min(len(first), len(last), _LONGEST_GUESS)
    digits = [_alphabet({key[place] for key in sample if len(key) > place}) for place in range(width)]
    end, begun = _number(last, digits), _number(first, digits)
    step = end - begun
    for number in range(1, count + 1) if step > 0 else ():
        text = _text(end + number * step, digits)
        if text is None or keys.problem(text) is not None:
            return
        yield text


def _alphabet(seen: set[str]) -> str:
    """Return the characters, in their order, that are likely at a place where these were seen."""
    if len(seen) == 1 and not seen <= set(string.digits):
        return next(iter(seen))
    for known in _ALPHABETS:
        if seen.issubset(known):
            return known
    low, high = ord(min(seen)), ord(max(seen))
    if high - low > _WIDEST:
        return "".join(sorted(seen))
    return "".join(map(chr, range(low, min(high + _MORE * (high - low), sys.maxunicode) + 1)))


def _number(key: str, digits: Sequence[str]) -> int:
    value = 0
    for character, alphabet in zip(key, digits, strict=False):
        value = value * len(alphabet) + alphabet.index(character)
    return value


def _text(value: int, digits: Sequence[str]) -> str | None:
    """Return the text of a number, `None` of one that is too large."""
    found = []
    for alphabet in reversed(digits):
        value, digit = divmod(value, len(alphabet))
        found.append(alphabet[digit])
    return None if value else "".join(reversed(found))
