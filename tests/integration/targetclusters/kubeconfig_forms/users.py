"""Users and their credentials."""

from tests.integration.targetclusters.kubeconfig_forms.form import (
    REFUSES,
    TOKEN,
    Form,
    of_client,
    of_top,
    of_user,
    only_kubectl,
    refused,
    same,
)
from tests.integration.targetclusters.kubeconfig_forms.recorder import CLIENTS, OWN_KEYS, Sent
from tests.targets.certificates import encrypted
from tests.targets.objects import encoded

CLIENT = CLIENTS.issue("somebody")
OTHER = CLIENTS.issue("another")
BASIC = "Basic dTpw"
PARAMETERS = "-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n"
AS_CLIENT = Sent(authorization="", client="somebody")
NOBODY = Sent(authorization="")

USERS = [
    same("a client certificate", of_client(CLIENT.certificate, CLIENT.key), AS_CLIENT),
    *(
        same(f"{kind} key", of_client(pair.certificate, pair.key), AS_CLIENT)
        for kind, pair in OWN_KEYS.items()
    ),
    same(
        "parameters before an EC key",
        of_client(CLIENT.certificate, PARAMETERS + CLIENT.key),
        AS_CLIENT,
    ),
    same(
        "comments",
        of_client(f"# für uns\n{CLIENT.certificate}", f"# für uns\n{CLIENT.key}"),
        AS_CLIENT,
    ),
    same(
        "both in both",
        of_client(CLIENT.key + CLIENT.certificate, CLIENT.certificate + CLIENT.key),
        AS_CLIENT,
    ),
    same(
        "a certificate and a token",
        of_client(CLIENT.certificate, CLIENT.key, **TOKEN),
        Sent(client="somebody"),
    ),
    refused(
        "an encrypted key",
        of_client(CLIENT.certificate, encrypted(CLIENT.key, b"x")),
        "client-key-data: holds an encrypted key; must be a key without a password",
    ),
    refused(
        "another's key",
        of_client(CLIENT.certificate, OTHER.key),
        "client-key-data: is not a key in PEM that fits client-certificate-data",
    ),
    refused(
        "no key",
        of_user(client_certificate_data=encoded(CLIENT.certificate)),
        "client-key-data: is missing; a client certificate needs its key",
    ),
    refused(
        "no certificate",
        of_user(client_key_data=encoded(CLIENT.key)),
        "client-certificate-data: is missing",
    ),
    same("user and password", of_user(username="u", password="p"), Sent(authorization=BASIC)),
    same("a user without a password", of_user(username="u"), Sent(authorization="Basic dTo=")),
    refused(
        "a password without a user",
        of_user(password="p"),
        "users[u].user.username: is missing; a password needs one",
    ),
    refused(
        "token and password",
        of_user(username="u", password="p", **TOKEN),
        "users[u].user.token: stands beside username or password; must be only one",
    ),
    refused("a number as token", of_user(token=5), "users[u].user.token: must be a string"),
    refused(
        "a line break after a token",
        of_user(token="t0ken\n"),
        "users[u].user.token: contains blanks, line breaks or other characters",
    ),
    only_kubectl(
        "blanks around a token",
        of_user(token=" t0ken "),
        "users[u].user.token: contains blanks",
        Sent(authorization="Bearer  t0ken"),
    ),
    only_kubectl(
        "tokenFile",
        of_user(tokenFile="/dev/null", **TOKEN),
        "users[u].user.tokenFile: would read a file in the operator's pod; use token",
    ),
    refused(
        "files of a client certificate",
        of_user(client_certificate="/a", client_key="/b"),
        "users[u].user.client-certificate: would read a file in the operator's pod",
    ),
    refused(
        "a program",
        of_user(exec={"command": "false"}, **TOKEN),
        "users[u].user.exec: would run a program in the operator's pod",
    ),
    refused("an empty program", of_user(exec={}, **TOKEN), "users[u].user.exec: would run"),
    refused(
        "auth-provider",
        of_user(auth_provider={"name": "gcp"}, **TOKEN),
        "users[u].user.auth-provider: would run",
    ),
    only_kubectl(
        "impersonation",
        of_user(**{"as": "root"}, **TOKEN),
        "users[u].user.as: impersonation is not supported",
        Sent(impersonated="root"),
    ),
    refused("groups of nobody", of_user(as_groups=["g"], **TOKEN), "users[u].user.as-groups: imp"),
    # kubectl would ask for a name and a password; the operator asks the cluster what it thinks.
    Form("an empty user", of_user(), REFUSES, NOBODY),
    Form("null", of_top(users=[{"name": "u", "user": None}]), REFUSES, NOBODY),
    Form(
        "no user", of_top(contexts=[{"name": "here", "context": {"cluster": "c"}}]), REFUSES, NOBODY
    ),
    Form("empty texts", of_user(token="", username="", tokenFile=""), REFUSES, NOBODY),
]
