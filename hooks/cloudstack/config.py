"""How one CloudStack is called, as one account or project."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class CloudConfig:
    """The names of the `cloud-config` file's section `[Global]`, with `_` for each `-`.

    The reference page is made from the text after `#:` above each.
    """

    #: The whole address of the API, such as `https://cloud.example.com/client/api`. Needed.
    api_url: str
    #: The API key of an ordinary user. Needed.
    api_key: str = field(repr=False)
    #: The secret key that belongs to it. Needed.
    secret_key: str = field(repr=False)
    #: The project of the VMs. Default: the account's own resources.
    project_id: str = ""
    #: The account whose VMs may be found by a node's name, if the keys see those of several, as an
    #: administrator's do. Default: the keys' own.
    account: str = ""
    #: The domain (id, or path such as `ROOT/customers`) of `account`; alone, all its accounts.
    domain: str = ""
    #: Name or id of the zone whose VM is taken if several have a node's name. Default: none.
    zone: str = ""
    #: The region label of the nodes. Default: the name of the zone.
    region: str = ""
    #: `true`: any certificate of the server is accepted. Default: `false`.
    ssl_no_verify: bool = False
    #: A file (PEM) with the certificate authorities to trust, in place of the public ones, or a
    #: folder of such files, or several folders with `:` between them. Default: the one that
    #: `REQUESTS_CA_BUNDLE`, `CURL_CA_BUNDLE`, `SSL_CERT_FILE` or `SSL_CERT_DIR` names, else the
    #: public ones.
    ca_file: str = ""
    #: The proxy to reach the API through, such as `http://proxy.example.com:3128`; it may hold user
    #: and password. Default: the one in `HTTPS_PROXY`, `HTTP_PROXY`, `ALL_PROXY` and `NO_PROXY`, in
    #: upper or lower case.
    proxy: str = field(default="", repr=False)
