"""Tags of resources."""

from dataclasses import dataclass

from hooks.cloudstack.models.fields import Model


@dataclass(frozen=True, slots=True)
class Tag(Model):
    """A key and value on a resource."""

    key: str
    value: str = ""
