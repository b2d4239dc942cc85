"""How one CloudStack is called, as one account or project."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class CloudConfig:
    """The settings of the `cloud-config` file's `[Global]` section.

    Attributes:
        api_url: the whole address, such as `https://cloud.example.com/client/api`.
        project_id: works in this project; empty for the account's own resources.
        zone: name or id that narrows what is listed; empty for every zone.
        region: what nodes are labelled with; empty leaves it to the zone.
        ssl_no_verify: takes any TLS certificate.
        ca_file: PEM file of the authorities to trust; empty for the environment's.
        proxy: URL of the proxy to use; empty for the environment's. It may hold a password.
    """

    api_url: str
    api_key: str = field(repr=False)
    secret_key: str = field(repr=False)
    project_id: str = ""
    zone: str = ""
    region: str = ""
    ssl_no_verify: bool = False
    ca_file: str = ""
    proxy: str = field(default="", repr=False)
