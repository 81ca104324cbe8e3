"""What updates are delivered to, as a configuration says it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any, Self

from pydantic import AfterValidator, BeforeValidator, ConfigDict, Field, StrictBool, model_validator

from cloudsync_core.config.fields import Interval, Literally, Referring
from cloudsync_core.config.section import Section

if TYPE_CHECKING:
    from cloudsync_core.config.fields import Converted

DELIVERIES = ("directory", "callback", "command", "webhook")
"""What updates can be delivered to."""


class DirectoryDelivery(Section):
    """A directory in which each update becomes a file."""

    model_config = ConfigDict(title="directory delivery")

    path: Literally = Field(description="The directory; a relative one is relative to the configuration file.")
    name: Literally = Field(
        default="{topic}/{id}{suffix}",
        description="The path of an update's file in it, with `{topic}`, `{id}`, `{publisher}`, `{name}` and "
        "`{suffix}` for what the update says.",
    )


class CommandDelivery(Section):
    """A command that is run for each update."""

    model_config = ConfigDict(title="command delivery")

    arguments: Annotated[Sequence[Literally], AfterValidator(tuple)] = Field(
        min_length=1,
        description="The program and its arguments, with `{topic}`, `{id}`, `{publisher}`, `{content_type}` and "
        "`{file}` for what the update says; no shell sees them.",
    )
    timeout: Interval = Field(default=300.0, description="Seconds after which the command is ended.")


class WebhookDelivery(Section):
    """A web server that each update is sent to."""

    model_config = ConfigDict(title="webhook delivery")

    url: Referring = Field(repr=False, description="Where each update is sent by POST: `https://…` or `http://…`.")
    secret: Referring | None = Field(
        default=None, repr=False, description="Signs what is sent; best a reference (see Secrets)."
    )
    allow_private: StrictBool = Field(
        default=False, description="Whether the server may be in a private network, or be this machine."
    )
    timeout: Interval = Field(default=30.0, description="Seconds without an answer after which a request has failed.")


def _under(name: str, *types: type, written: Any, wrong: str) -> BeforeValidator:
    """Let a mapping be written as the one value that it cannot do without."""

    def mapping(value: object) -> object:
        if not isinstance(value, (Mapping, Section, *types)):
            raise ValueError(f"must be {wrong}, or a mapping with '{name}'")  # noqa: TRY004 - pydantic asks for it
        return {name: value} if isinstance(value, types) else value

    return BeforeValidator(mapping, json_schema_input_type=written)


_Text = Annotated[str, Field(min_length=1)]
_Texts = Annotated[list[_Text], Field(min_length=1)]
_Directory = Annotated[DirectoryDelivery, _under("path", str, written=_Text | DirectoryDelivery, wrong="a path")]
_Command = Annotated[
    CommandDelivery,
    _under("arguments", list, tuple, written=_Texts | CommandDelivery, wrong="the list of the arguments"),
]
_Webhook = Annotated[WebhookDelivery, _under("url", str, written=_Text | WebhookDelivery, wrong="a URL")]


class DeliverConfig(Section):
    """What updates are delivered to."""

    model_config = ConfigDict(title="delivery", json_schema_extra={"minProperties": 1})

    directory: _Directory | None = Field(
        default=None, description="A directory in which each update becomes a file: its path, or a mapping."
    )
    callback: Literally | None = Field(
        default=None, description="A Python function that is called with each update: `module:function`."
    )
    command: _Command | None = Field(
        default=None, description="A command that is run for each update: the list of its arguments, or a mapping."
    )
    webhook: _Webhook | None = Field(
        default=None, description="A web server that each update is sent to: its URL, or a mapping."
    )

    @model_validator(mode="after")
    def _names_some(self) -> Self:
        if not self.kinds:
            raise ValueError(f"must have one of: {', '.join(DELIVERIES)}")
        return self

    @property
    def kinds(self) -> list[str]:
        """The kinds that are named; in a job's `deliver`, one each."""
        return [name for name in DELIVERIES if getattr(self, name) is not None]


def _one_or_several(value: object) -> object:
    if isinstance(value, Mapping | DeliverConfig):
        # Checked here, so that errors name its keys and no index that nobody wrote.
        return (DeliverConfig.model_validate(value),)
    if isinstance(value, list | tuple):
        return value
    raise ValueError("must be a mapping, for instance {directory: ./inbox}, or a list of such")


def _one_kind_each(deliveries: Sequence[DeliverConfig]) -> tuple[DeliverConfig, ...]:
    return tuple(DeliverConfig(**{kind: getattr(one, kind)}) for one in deliveries for kind in one.kinds)


if TYPE_CHECKING:
    Deliveries = Converted[
        tuple[DeliverConfig, ...], DeliverConfig | Mapping[str, Any] | Sequence[DeliverConfig | Mapping[str, Any]]
    ]
else:
    Deliveries = Annotated[
        Sequence[DeliverConfig],
        Field(min_length=1),
        BeforeValidator(
            _one_or_several,
            json_schema_input_type=DeliverConfig | Annotated[list[DeliverConfig], Field(min_length=1)],
        ),
        AfterValidator(_one_kind_each),
    ]
    """What updates are delivered to, stored as a tuple of one kind each."""
