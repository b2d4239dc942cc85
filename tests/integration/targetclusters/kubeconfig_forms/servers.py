"""Servers and the authorities that vouch for them."""

from tests.integration.targetclusters.kubeconfig_forms.form import (
    TOKEN,
    Form,
    broken,
    changed,
    of_authority,
    of_cluster,
    of_server,
    only_kubectl,
    refused,
    same,
)
from tests.integration.targetclusters.kubeconfig_forms.recorder import CLIENTS, Sent
from tests.targets.objects import encoded, kubeconfig

CLIENT = CLIENTS.issue("somebody")
BASIC = "Basic dTpw"
NO_PEM = "is not PEM in base64, in which only line breaks may stand"
URL = "must be a URL such as https://host:6443, without user, query, fragment, . or .. in it"
BAD_BLOCK = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"
NOBODY = Sent(authorization="")

SERVERS = [
    same("a path", of_server("URL/a/b"), Sent(path="/a/b/version")),
    same("a slash at the end", of_server("URL/")),
    same("an upper-case scheme", of_server("HTTPS://127.0.0.1:PORT")),
    same("a host name", of_server("https://localhost:PORT"), Sent(server_name="localhost")),
    same("upper-case", of_server("https://LOCALHOST:PORT"), Sent(server_name="localhost")),
    refused("no server", of_server(""), "clusters[c].cluster.server: is missing; it must be a URL"),
    refused("no scheme", of_server("localhost:PORT"), URL),
    refused("a blank before it", of_server(" URL"), URL),
    refused("a line break after it", of_server("URL\n"), URL),
    refused("another scheme", of_server("ftp://localhost:PORT"), URL),
    refused("a port that is none", of_server("https://localhost:65536"), URL),
    only_kubectl(
        "a user in it",
        of_server("https://u:p@localhost:PORT"),
        "'https://***@localhost",
        Sent(authorization=BASIC, server_name="localhost"),
    ),
    only_kubectl("a query", of_server("URL?a=b"), "?…', " + URL),
    only_kubectl("dots in its path", of_server("URL/a/../b"), URL, Sent(path="/b/version")),
    same(
        "tls-server-name",
        of_cluster(tls_server_name="name.example"),
        Sent(server_name="name.example"),
    ),
    refused(
        "another server's name",
        of_cluster(tls_server_name="other.example"),
        "the certificate of 127.0.0.1 is not trusted",
    ),
    same(
        "insecure-skip-tls-verify",
        of_cluster(insecure_skip_tls_verify=True, certificate_authority_data=None),
    ),
    refused(
        "insecure-skip-tls-verify beside an authority",
        of_cluster(insecure_skip_tls_verify=True),
        "insecure-skip-tls-verify: is true beside certificate-authority-data; must be only one",
    ),
    refused(
        "a text instead of true",
        of_cluster(insecure_skip_tls_verify="true"),
        "insecure-skip-tls-verify: must be true or false",
    ),
    same(
        "yes for true",
        changed("    certificate-authority-data:", "    insecure-skip-tls-verify: yes\n    x:"),
    ),
    Form(
        "http and a token",
        lambda at: kubeconfig(at.http, user=TOKEN),
        NOBODY,
        "which would get the user's token or password in clear text; must be an https URL",
    ),
    same("http and no user", lambda at: kubeconfig(at.http), NOBODY),
]

AUTHORITIES = [
    same("base64 with line breaks", of_authority(lambda ca: broken(encoded(ca)))),
    same("base64 with CRLF", of_authority(lambda ca: broken(encoded(ca), "\r\n"))),
    refused("base64 with blanks", of_authority(lambda ca: broken(encoded(ca), " ")), NO_PEM),
    refused("base64 cut short", of_authority(lambda ca: encoded(ca)[:-1]), NO_PEM),
    refused("PEM without base64", of_authority(str), "is PEM, must be PEM in base64"),
    same("a chain", of_authority(lambda ca: encoded(CLIENTS.pem + ca))),
    same("CRLF in PEM", of_authority(lambda ca: encoded(ca.replace("\n", "\r\n")))),
    same("a comment in UTF-8", of_authority(lambda ca: encoded(f"# Zürich — Wurzel\n{ca}"))),
    same(
        "openssl's text before it", of_authority(lambda ca: encoded(f"Certificate:\n  Data:\n{ca}"))
    ),
    same("a key beside it", of_authority(lambda ca: encoded(CLIENT.key + ca))),
    same("no line break at the end", of_authority(lambda ca: encoded(ca.rstrip()))),
    same("one of them broken", of_authority(lambda ca: encoded(BAD_BLOCK + ca))),
    refused("no PEM", of_authority(lambda _: encoded("no PEM")), "is not a certificate in PEM"),
    refused(
        "indented",
        of_authority(lambda ca: encoded(ca.replace("-----BEGIN", "  -----BEGIN"))),
        "certificate-authority-data: is not a certificate in PEM",
    ),
    refused(
        "another authority",
        of_authority(lambda _: encoded(CLIENTS.pem)),
        "the certificate of 127.0.0.1 is not trusted",
    ),
    refused(
        "none, and no public one",
        of_cluster(certificate_authority_data=None),
        "the certificate of 127.0.0.1 is not trusted",
    ),
    refused(
        "a file",
        of_cluster(certificate_authority="/nowhere/ca.crt"),
        "clusters[c].cluster.certificate-authority: would read a file in the operator's pod; "
        "use certificate-authority-data instead",
    ),
]
