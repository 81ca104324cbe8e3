"""The base of the option models that backends publish for their locations."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class BackendOptions(BaseModel):
    """Options of one location, as a user writes them under `options:`.

    Unknown names are errors; secret values are declared as `pydantic.SecretStr`, so that they are never printed.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class NoOptions(BackendOptions):
    """For backends that take none."""
