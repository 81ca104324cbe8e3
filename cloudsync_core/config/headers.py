"""Header rules, as a configuration says them."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Annotated, Self

from pydantic import AfterValidator, ConfigDict, Field, WithJsonSchema, model_validator

from cloudsync_core.config.fields import HeaderText, Patterns
from cloudsync_core.config.section import Section
from cloudsync_core.engine.policy import HeaderRule

_METADATA_NAME = r"^[a-z0-9][a-z0-9._-]*$"


def _metadata_name(name: str) -> str:
    if re.match(_METADATA_NAME, name) is None:
        raise ValueError("a metadata name holds only lower-case letters, digits, '.', '_' and '-'")
    return name


MetadataName = Annotated[
    str, AfterValidator(_metadata_name), WithJsonSchema({"type": "string", "pattern": _METADATA_NAME})
]
"""The name of an entry of user metadata, as every store takes it."""


class HeaderRuleConfig(Section):
    """Headers and metadata for the objects whose keys match; of several rules that set one, the last wins."""

    model_config = ConfigDict(title="header rule")

    match: Patterns = Field(min_length=1, description="gitignore patterns of the keys that the rule is for.")
    content_type: HeaderText | None = Field(default=None, description="Replaces the guessed or carried media type.")
    cache_control: HeaderText | None = Field(default=None, description="How long readers may cache the object.")
    content_encoding: HeaderText | None = Field(
        default=None, description="How the content is encoded, for instance `gzip`. cloudsync does not encode it."
    )
    content_disposition: HeaderText | None = Field(
        default=None, description="Whether browsers show or save the object, and by which name."
    )
    content_language: HeaderText | None = Field(default=None, description="The language of the content.")
    metadata: Mapping[MetadataName, HeaderText] = Field(
        default_factory=dict,
        json_schema_extra={"additionalProperties": False},
        description="User metadata that is added to what the object carries, name by name.",
    )

    @model_validator(mode="after")
    def _sets_something(self) -> Self:
        if not self.metadata and not self._header_fields():
            raise ValueError("the rule sets nothing")
        return self

    def rule(self, resolve: Callable[..., str] = lambda value, *_: value) -> HeaderRule:
        """Return the rule that the engine applies.

        Args:
            resolve: called with a value and the names that lead to it; returns it with references replaced.
        """
        return HeaderRule(
            match=tuple(self.match),
            metadata={name: resolve(value, "metadata", name) for name, value in self.metadata.items()},
            **{name: resolve(value, name) for name, value in self._header_fields().items()},
        )

    def _header_fields(self) -> dict[str, str]:
        return self.model_dump(exclude={"match", "metadata"}, exclude_none=True)
