"""What every mapping of a configuration has in common."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Section(BaseModel):
    """A mapping of the file: unknown options are errors, and what was read does not change."""

    # Built when it is first used: no command uses all kinds of jobs, and each takes some 10 ms.
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True, defer_build=True)
