"""A tag: a key and a value that someone put on a resource."""

from dataclasses import dataclass

from hooks.cloudstack.models.fields import Answer, optional, required


@dataclass(frozen=True, slots=True)
class Tag:
    """A key and value on a resource; `resource_id` and type only from listTags."""

    key: str
    value: str
    resource_id: str = ""
    resource_type: str = ""

    @classmethod
    def from_json(cls, answer: Answer) -> "Tag":
        """Read one entry of a `tags` or `tag` list."""
        return cls(
            key=required(answer, "tag", "key"),
            value=optional(answer, "value"),
            resource_id=optional(answer, "resourceid"),
            resource_type=optional(answer, "resourcetype"),
        )
