"""A plugin to start from: the package of a backend that works and passes its own tests before anything is changed."""

from __future__ import annotations

import dataclasses
import importlib.resources
import os
import re
import string
import tempfile
from collections.abc import Iterator
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Final

from cloudsync_core.errors import ConfigError, printable
from cloudsync_core.plugins import builtin, known

LONGEST_NAME: Final = 24
"""Characters of a name. Beyond it the lines of the package would be wrapped in another way than they are."""

_NAME: Final = re.compile(r"[a-z][a-z0-9]*(?:-[a-z0-9]+)*")
_SCHEME: Final = re.compile(r"[a-z][a-z0-9+.-]*")  # RFC 3986, section 3.1, in lower case
_PREFIX: Final = "cloudsync-"
_SUFFIX: Final = ".template"
_RESERVED: Final = frozenset({"backend", "core", "plugins", "testing"})
"""Names of packages and classes that are cloudsync's own."""

_RENAMED: Final = {"gitignore": ".gitignore"}
"""Files that would mean something to the tools of this repository under their own names."""


@dataclasses.dataclass(frozen=True, slots=True)
class NewPlugin:
    """What a new plugin is called.

    Args:
        name: in lower case, words joined by hyphens, for instance "dropbox" or "my-store".
        scheme: of its locations.

    Raises:
        ConfigError: the name or the scheme cannot be used; the hint says what can be.
    """

    name: str
    scheme: str

    def __post_init__(self) -> None:
        _check_name(self.name)
        _check_scheme(self.scheme)

    @property
    def distribution(self) -> str:
        """What pip calls it."""
        return f"{_PREFIX}{self.name}"

    @property
    def package(self) -> str:
        """What Python imports."""
        return self.distribution.replace("-", "_")

    @property
    def class_name(self) -> str:
        """What the names of its classes start with."""
        return "".join(word.capitalize() for word in self.name.split("-"))

    def files(self, core_version: str) -> Iterator[tuple[str, str]]:
        """Yield the path, relative to the package's folder, and the text of each file.

        Args:
            core_version: the version of the core that the plugin is written for.
        """
        words = {
            "name": self.name,
            "scheme": self.scheme,
            "distribution": self.distribution,
            "package": self.package,
            "class_name": self.class_name,
            "requirement": f"cloudsync-core{_range(core_version)}",
        }
        for path, text in _templates(importlib.resources.files(__package__) / "template"):
            yield path.replace("/package/", f"/{self.package}/"), string.Template(text).substitute(words)

    def write(self, directory: Path, core_version: str) -> Path:
        """Write the package into a new folder of `directory`, as a whole or not at all, and return that folder.

        Args:
            directory: it is made if need be.
            core_version: the version of the core that the plugin is written for.

        Raises:
            ConfigError: there is something of that name already, or the folder cannot be written.
        """
        folder = directory / self.distribution
        shown = printable(str(folder))
        if os.path.lexists(folder):
            raise ConfigError(
                f"{shown} exists already, and nothing is replaced",
                hint=f"choose another place: cloudsync plugins new {self.name} --directory DIRECTORY",
            )
        try:
            directory.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(dir=directory, prefix=f".{self.distribution}-") as place:
                made = Path(place) / self.distribution
                for path, text in self.files(core_version):
                    file = made / path
                    file.parent.mkdir(parents=True, exist_ok=True)
                    file.write_text(text, encoding="utf-8")
                made.rename(folder)
        except OSError as error:
            raise ConfigError(f"{shown} cannot be written: {error.strerror}") from error
        return folder


def _check_name(name: str) -> None:
    if name.startswith(_PREFIX) and (rest := name.removeprefix(_PREFIX)):
        raise ConfigError(f"the name of a plugin is what follows {_PREFIX!r}", hint=f"cloudsync plugins new {rest}")
    if len(name) > LONGEST_NAME or _NAME.fullmatch(name) is None:
        raise ConfigError(
            f"{printable(name)!r} cannot be the name of a plugin",
            hint=f"use lower-case letters and digits, words joined by hyphens, a letter first, {LONGEST_NAME} "
            "characters at most: my-store",
        )
    distribution = f"{_PREFIX}{name}"
    if name in _RESERVED or distribution in known.distributions().values():
        raise ConfigError(f"{distribution} is a name of cloudsync's own", hint="choose another name")


def _check_scheme(scheme: str) -> None:
    if len(scheme) > LONGEST_NAME or _SCHEME.fullmatch(scheme) is None:
        raise ConfigError(
            f"{printable(scheme)!r} cannot be the scheme of a location",
            hint="use lower-case letters, digits, '+', '-' and '.', a letter first",
        )
    taken = {scheme for info in builtin.cloudsync_register_backends() for scheme in info.schemes}
    if scheme in taken:
        raise ConfigError(f"the scheme {scheme!r} is the core's own", hint="choose another one: --scheme SCHEME")


def _range(version: str) -> str:
    """Return which versions of the core keep the contract of `version`: up to the next minor one, from 1 on major one.

    >>> _range("0.4.1"), _range("2.5.0")
    ('>=0.4,<0.5', '>=2.5,<3')
    """
    major, minor = (int(part) for part in re.findall(r"\d+", version)[:2])
    return f">={major}.{minor},<{major + 1 if major else f'0.{minor + 1}'}"


def _templates(folder: Traversable, path: str = "") -> Iterator[tuple[str, str]]:
    for entry in sorted(folder.iterdir(), key=lambda entry: entry.name):
        if entry.is_dir():
            yield from _templates(entry, f"{path}{entry.name}/")
        elif entry.name.endswith(_SUFFIX):
            name = entry.name.removesuffix(_SUFFIX)
            yield f"{path}{_RENAMED.get(name, name)}", entry.read_text(encoding="utf-8")
