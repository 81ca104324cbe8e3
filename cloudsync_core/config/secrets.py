"""References to secrets in a configuration, and the last defence against printing what they stand for.

`${env:NAME}` is an environment variable, `${file:path}` the content of a file, `${other:…}` whatever a plugin's
`cloudsync_resolve_secret` hook says; `$${` stands for the characters `${`. A reference is looked up when the
location that holds it is opened, not before: a job that is not run needs none of its secrets.
"""

from __future__ import annotations

import json
import os
import re
import urllib.parse
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar

from cloudsync_core.config.environment import local_path
from cloudsync_core.config.problems import dotted
from cloudsync_core.errors import CloudSyncError, SecretNotFoundError, printable

Value = TypeVar("Value")
SecretHook = Callable[[str], str | None]
"""Gets the text between the braces; returns the secret, or `None` when the reference is not of its kind."""

MAX_FILE_BYTES = 64 * 1024
"""More than any key, token or certificate chain; it keeps `${file:/dev/zero}` from filling memory."""

_ESCAPE = "$${"
_TOKEN = re.compile(r"\$\$\{|\$\{(?:([^}\n]*)\})?")
_REFERENCE = re.compile(r"([a-z][a-z0-9_-]*):(.+)")
_FORM = "a reference is written ${env:NAME} or ${file:path}, and the characters ${ themselves $${"

_MIN_REDACTED = 4
_MIN_LISTED = 32
_NEVER_REDACTED = frozenset({"true", "false", "null", "none"})
_REDACTED = "***"


def syntax_problem(text: str) -> str | None:
    """Say what is wrong with the form of the references in `text`, or return `None`; nothing is looked up."""
    for match in _TOKEN.finditer(text):
        if match[0] != _ESCAPE and _REFERENCE.fullmatch(match[1] or "") is None:
            return _FORM
    return None


def has_reference(text: str) -> bool:
    """Tell whether `text` holds a well-formed reference."""
    return any(_REFERENCE.fullmatch(match[1] or "") for match in _TOKEN.finditer(text))


class SecretValues:
    """The secrets that were resolved so far, to be scrubbed from whatever leaves the program.

    The first defence is that no message is made from a secret; this is the second.
    """

    def __init__(self) -> None:
        self._spellings: tuple[str, ...] = ()

    def add(self, secret: str) -> None:
        """Remember a secret, how it looks quoted in a URL or escaped in a literal, and the long values that it lists.

        A signature or a key within `name=value` pairs, as in the query of an address or in a connection string, is
        as secret as the whole. Values of fewer than 4 characters and the words true, false, null and none are not
        kept: replacing them would mangle every text and hide nothing.
        """
        if len(secret.strip()) < _MIN_REDACTED or secret.lower() in _NEVER_REDACTED:
            return
        spellings = {secret.strip()}.union(*map(_spellings, (secret, *_listed(secret))))
        self._spellings = tuple(sorted(spellings.union(self._spellings), key=len, reverse=True))

    def redact(self, text: str) -> str:
        """Return `text` with `***` in the place of every secret.

        Give it strings before they are encoded as JSON: a secret of digits would otherwise break a number.
        """
        for spelling in self._spellings:
            text = text.replace(spelling, _REDACTED)
        return text


def _listed(secret: str) -> Iterator[str]:
    """Yield what stands for the names in a secret of `name=value` pairs, where it is long enough to be a secret."""
    for pair in re.split("[&;]", secret):
        value = pair.partition("=")[2]
        if len(value) >= _MIN_LISTED and "://" not in value:
            yield from (value, urllib.parse.unquote(value))


def _spellings(secret: str) -> set[str]:
    return {
        secret,
        repr(secret)[1:-1],
        json.dumps(secret)[1:-1],
        urllib.parse.quote(secret, safe="", errors="replace"),
        urllib.parse.quote_plus(secret, errors="replace"),
    }


class Resolver:
    """Replaces references by what they stand for.

    Args:
        directory: what relative paths in `${file:…}` are relative to.
        hook: asked for every reference that is neither `env:` nor `file:`.
        where: tells the place in a file of a path of keys, for messages; see `LoadedConfig.where`.
        environ: the environment; by default the process's.
    """

    def __init__(
        self,
        *,
        directory: Path,
        hook: SecretHook = lambda _: None,
        where: Callable[..., str] | None = None,
        environ: Mapping[str, str] | None = None,
    ) -> None:
        self.values = SecretValues()
        self._directory = directory
        self._hook = hook
        self._where = where
        self._environ = os.environ if environ is None else environ

    def another(self) -> Resolver:
        """Return one for another thread, with secrets of its own."""
        return Resolver(directory=self._directory, hook=self._hook, where=self._where, environ=self._environ)

    def resolve(self, value: Value, *at: str | int, secret: bool = True) -> Value:
        """Return `value` with every reference in its strings replaced, at any depth of mappings and lists.

        Args:
            value: what a configuration holds; it is not changed.
            at: the path of keys that leads to it, for messages.
            secret: whether what is found is added to `values`.

        Raises:
            SecretNotFoundError: a reference names what does not exist, cannot be read or is empty; the message
                names the place and the reference, never a value.
        """
        resolved: Any = value
        if isinstance(value, str):
            resolved = _TOKEN.sub(lambda match: self._replace(match, at, secret=secret), value)
        elif isinstance(value, Mapping):
            resolved = {key: self.resolve(item, *at, key, secret=secret) for key, item in value.items()}
        elif isinstance(value, list | tuple):
            items = (self.resolve(item, *at, index, secret=secret) for index, item in enumerate(value))
            resolved = type(value)(items)
        return resolved  # type: ignore[no-any-return]  # same shape as what came in

    def _replace(self, match: re.Match[str], at: tuple[str | int, ...], *, secret: bool) -> str:
        if match[0] == _ESCAPE:
            return _ESCAPE[1:]
        try:
            found = self._look_up(match[1] or "")
        except SecretNotFoundError as error:
            place = [self._where(*at)] if self._where else []
            path = [dotted(at)] if at else []
            raise SecretNotFoundError(": ".join([*place, *path, error.args[0]]), hint=error.hint) from error.__cause__
        if secret:
            self.values.add(found)
        return found

    def _look_up(self, reference: str) -> str:
        parts = _REFERENCE.fullmatch(reference)
        if parts is None:
            raise SecretNotFoundError(_FORM)
        kind, name = parts.groups()
        shown = f"${{{kind}:{printable(name)}}}"
        if kind == "env":
            found = self._environ.get(name)
            if found is None:
                raise SecretNotFoundError(f"{shown}: no such environment variable", hint=f"set {printable(name)}")
        elif kind == "file":
            found = self._read(name, shown)
        else:
            found = self._ask(kind, name, shown)
        if not found:
            raise SecretNotFoundError(f"{shown}: it is empty", hint="leave the option out where no value is meant")
        if not found.isascii() and any("\ud800" <= char <= "\udfff" for char in found):
            raise SecretNotFoundError(f"{shown}: its value is not UTF-8 text")
        return found

    def _read(self, name: str, shown: str) -> str:
        path = local_path(name, self._directory)
        try:
            with path.open("rb") as file:
                content = file.read(MAX_FILE_BYTES + 1)
        except FileNotFoundError:
            raise SecretNotFoundError(f"{shown}: no such file: {printable(str(path))}") from None
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or "no valid path"
            raise SecretNotFoundError(f"{shown}: {printable(str(path))}: {reason}") from error
        if len(content) > MAX_FILE_BYTES:
            raise SecretNotFoundError(f"{shown}: {printable(str(path))}: larger than {MAX_FILE_BYTES} bytes")
        try:
            text = content.decode()
        except UnicodeDecodeError:
            raise SecretNotFoundError(f"{shown}: {printable(str(path))}: not UTF-8 text") from None
        return text.removesuffix("\n").removesuffix("\r")

    def _ask(self, kind: str, name: str, shown: str) -> str:
        try:
            found = self._hook(f"{kind}:{name}")
        except CloudSyncError:
            raise
        except Exception as error:
            raise SecretNotFoundError(f"{shown}: the plugin failed with {type(error).__name__}") from error
        if found is None:
            raise SecretNotFoundError(
                f"{shown}: no installed plugin knows references of the kind '{kind}:'",
                hint="use ${env:NAME} or ${file:path}, or install the plugin; write $${ for the characters ${",
            )
        return found
