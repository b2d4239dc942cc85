"""Tags of resources."""

from dataclasses import dataclass

from hooks.cloudstack.models.fields import Model


@dataclass(frozen=True, slots=True)
class Tag(Model):
    """A key and value on a resource; `resource_id` and type only from listTags."""

    KIND = "tag"
    key: str
    value: str = ""
    resource_id: str = ""
    resource_type: str = ""
