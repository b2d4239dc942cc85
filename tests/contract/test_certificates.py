"""Certificates of load balancer rules: RSA alone, one on a rule, replaced if forced."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.types import CertificateIssuerPrivateKeyTypes
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from tests.contract.cloud import Cloud, Json
from tests.contract.conftest import unique

NOBODY = "00000000-0000-4000-8000-000000000000"
INTERNAL = "Internal error executing command, please contact your system administrator"


@dataclass(frozen=True)
class Pair:
    """A certificate that signs itself, with its key in both forms of PEM."""

    certificate: str
    key: str
    traditional: str
    fingerprint: str

    def wanted(self, **fields: object) -> dict[str, object]:
        """Return the parameters of an upload, with these changes."""
        plain = {"name": "ct", "certificate": self.certificate, "privatekey": self.key}
        return {**plain, **fields}


def make_pair(key: CertificateIssuerPrivateKeyTypes, *, days: float = 30) -> Pair:
    """Make a pair whose certificate is good for so many days from now."""
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, unique("c"))])
    now = datetime.now(tz=UTC)
    builder = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
    builder = builder.not_valid_before(now - timedelta(days=60))
    signed = builder.not_valid_after(now + timedelta(days=days)).sign(key, SHA256())
    pkcs8, traditional = (
        key.private_bytes(Encoding.PEM, form, NoEncryption()).decode()
        for form in (PrivateFormat.PKCS8, PrivateFormat.TraditionalOpenSSL)
    )
    certificate = signed.public_bytes(Encoding.PEM).decode()
    return Pair(certificate, pkcs8, traditional, signed.fingerprint(SHA256()).hex(":").upper())


@pytest.fixture(scope="session")
def pairs() -> tuple[Pair, Pair]:
    """Two pairs of RSA."""
    first, second = (make_pair(rsa.generate_private_key(65537, 2048)) for _ in range(2))
    return first, second


@pytest.fixture(scope="session")
def account(cloud: Cloud, capability: Json) -> Json:
    assert capability
    return cloud.list("listAccounts", "account")[0]


@pytest.fixture(autouse=True)
def cleaned(cloud: Cloud, account: Json) -> Iterator[None]:
    """Leave no certificate behind; the rules go with their address, before."""
    yield
    for one in of_account(cloud, account):
        for rule in one.get("loadbalancerrulelist", []):
            cloud.done("removeCertFromLoadBalancer", lbruleid=rule)
        cloud.ok("deleteSslCert", id=one["id"])


@pytest.fixture
def rule(cloud: Cloud, address: Json, version: tuple[int, int]) -> Json:
    """A rule of the protocol `ssl`, without members."""
    if version < (4, 22):
        pytest.skip("virtual routers serve TLS since 4.22")
    return created(cloud, address)


def created(cloud: Cloud, address: Json, **fields: object) -> Json:
    wanted = {
        "name": "tls",
        "algorithm": "roundrobin",
        "publicport": 443,
        "privateport": 30443,
        "protocol": "ssl",
        "publicipid": address["id"],
        "openfirewall": False,
        **fields,
    }
    return dict(cloud.done("createLoadBalancerRule", **wanted)["loadbalancer"])


def uploaded(cloud: Cloud, pair: Pair, **fields: object) -> Json:
    return dict(cloud.ok("uploadSslCert", **pair.wanted(**fields))["sslcert"])


def of_account(cloud: Cloud, account: Json) -> list[Json]:
    return cloud.list("listSslCerts", "sslcert", accountid=account["id"])


def of_rule(cloud: Cloud, rule: Json) -> list[Json]:
    return cloud.list("listSslCerts", "sslcert", lbruleid=rule["id"])


def test_an_upload_is_answered_at_once_and_without_the_key(
    cloud: Cloud, account: Json, pairs: tuple[Pair, Pair]
) -> None:
    made = uploaded(cloud, pairs[0])
    assert made == {
        "id": made["id"],
        "certificate": pairs[0].certificate,
        "account": account["name"],
        "domainid": account["domainid"],
        "domain": account["domain"],
        "fingerprint": pairs[0].fingerprint,
        "name": "ct",
    }
    assert of_account(cloud, account) == [made]
    assert cloud.list("listSslCerts", "sslcert", certid=made["id"]) == [made]


def test_names_and_certificates_are_not_unique_and_both_forms_of_keys_are_taken(
    cloud: Cloud, account: Json, pairs: tuple[Pair, Pair]
) -> None:
    keys = (pairs[0].key, pairs[0].key, pairs[0].traditional)
    made = [uploaded(cloud, pairs[0], privatekey=key) for key in keys]
    assert of_account(cloud, account) == made
    assert len({one["id"] for one in made}) == 3


def test_a_key_of_another_kind_or_of_another_certificate_is_refused(
    cloud: Cloud, account: Json, pairs: tuple[Pair, Pair]
) -> None:
    elliptic = make_pair(ec.generate_private_key(ec.SECP256R1()))
    text = cloud.refused("uploadSslCert", 530, **elliptic.wanted())
    assert text == "Public and private key have different algorithms"
    swapped = pairs[0].wanted(privatekey=pairs[1].key)
    assert cloud.refused("uploadSslCert", 530, **swapped) == "Bad public-private key"
    outcome = cloud.call("uploadSslCert", **pairs[0].wanted(certificate="hello"))
    assert outcome.body == {"uuidList": [], "errorcode": 530, "cserrorcode": 9999}
    assert of_account(cloud, account) == []


def test_an_expired_certificate_is_refused(cloud: Cloud, account: Json) -> None:
    """As the server's sources say."""
    expired = make_pair(rsa.generate_private_key(65537, 2048), days=-1)
    cloud.refused("uploadSslCert", 530, **expired.wanted())
    assert of_account(cloud, account) == []


def test_an_upload_needs_a_name(cloud: Cloud, pairs: tuple[Pair, Pair]) -> None:
    text = cloud.refused("uploadSslCert", 431, **pairs[0].wanted(name=None))
    assert text == "Unable to execute API command uploadsslcert due to missing parameter name"


def test_a_chain_is_taken_where_its_revocation_is_not_checked(
    cloud: Cloud, pairs: tuple[Pair, Pair]
) -> None:
    """One that has signed nothing, too."""
    chain = {"certchain": pairs[1].certificate}
    text = cloud.refused("uploadSslCert", 530, **pairs[0].wanted(**chain))
    assert text == "Invalid certificate chain"
    made = uploaded(cloud, pairs[0], enabledrevocationcheck=False, **chain)
    assert (made["certchain"], made["fingerprint"]) == (
        pairs[1].certificate,
        pairs[0].fingerprint,
    )


def test_a_list_needs_one_of_its_filters(cloud: Cloud, account: Json) -> None:
    assert cloud.refused("listSslCerts", 530) == INTERNAL
    assert cloud.refused("listSslCerts", 530, listall=True) == INTERNAL
    assert cloud.ok("listSslCerts", accountid=account["id"]) == {}


def test_a_certificate_takes_no_tags(cloud: Cloud, pairs: tuple[Pair, Pair]) -> None:
    made = uploaded(cloud, pairs[0])
    tagged = {"resourcetype": "SslCert", "resourceids": made["id"]}
    text = cloud.failed("createTags", 431, **tagged, tags={"a": "b"})
    assert text == "Invalid resource type SslCert"


def test_a_rule_serves_without_a_certificate_and_shows_none_of_it(
    cloud: Cloud, rule: Json, vms: list[Json], pairs: tuple[Pair, Pair]
) -> None:
    cloud.done("assignToLoadBalancerRule", id=rule["id"], virtualmachineids=vms[0]["id"])
    [bare] = cloud.list("listLoadBalancerRules", "loadbalancerrule", id=rule["id"])
    assert (bare["protocol"], bare["state"]) == ("ssl", "Active")
    assert of_rule(cloud, rule) == []
    made = uploaded(cloud, pairs[0])
    cloud.done("assignCertToLoadBalancer", lbruleid=rule["id"], certid=made["id"])
    assert cloud.list("listLoadBalancerRules", "loadbalancerrule", id=rule["id"]) == [bare]
    used = {**made, "loadbalancerrulelist": [rule["id"]]}
    assert of_rule(cloud, rule) == [used]
    assert cloud.list("listSslCerts", "sslcert", certid=made["id"]) == [used]


def test_a_rule_of_another_protocol_takes_no_certificate(
    cloud: Cloud, rule: Json, address: Json, pairs: tuple[Pair, Pair]
) -> None:
    plain = created(cloud, address, name="tcp", protocol="tcp", publicport=80)
    made = uploaded(cloud, pairs[0])
    wanted = {"lbruleid": plain["id"], "certid": made["id"]}
    text = cloud.failed("assignCertToLoadBalancer", 431, **wanted)
    assert text == "Bad LB protocol: Expected ssl got tcp"
    cloud.refused("assignCertToLoadBalancer", 431, lbruleid=rule["id"], certid=NOBODY)


def test_another_certificate_is_assigned_only_if_forced(
    cloud: Cloud, rule: Json, pairs: tuple[Pair, Pair]
) -> None:
    first, second = (uploaded(cloud, pair) for pair in pairs)
    cloud.done("assignCertToLoadBalancer", lbruleid=rule["id"], certid=first["id"])
    for one in (first, second):
        wanted = {"lbruleid": rule["id"], "certid": one["id"]}
        text = cloud.failed("assignCertToLoadBalancer", 431, **wanted)
        assert text == "Another certificate is already bound to the LB"
    assert [one["id"] for one in of_rule(cloud, rule)] == [first["id"]]
    replacing = {"lbruleid": rule["id"], "certid": second["id"], "forced": True}
    cloud.done("assignCertToLoadBalancer", **replacing)
    assert [one["id"] for one in of_rule(cloud, rule)] == [second["id"]]


def test_another_protocol_takes_the_certificate_off(
    cloud: Cloud, rule: Json, pairs: tuple[Pair, Pair]
) -> None:
    made = uploaded(cloud, pairs[0])
    cloud.done("assignCertToLoadBalancer", lbruleid=rule["id"], certid=made["id"])
    for protocol in ("tcp", "ssl"):
        cloud.done("updateLoadBalancerRule", id=rule["id"], protocol=protocol)
        assert of_rule(cloud, rule) == []


def test_a_certificate_is_removed_once(cloud: Cloud, rule: Json, pairs: tuple[Pair, Pair]) -> None:
    made = uploaded(cloud, pairs[0])
    cloud.done("assignCertToLoadBalancer", lbruleid=rule["id"], certid=made["id"])
    assert cloud.done("removeCertFromLoadBalancer", lbruleid=rule["id"]) == {"success": True}
    assert of_rule(cloud, rule) == []
    text = cloud.failed("removeCertFromLoadBalancer", 431, lbruleid=rule["id"])
    assert text.startswith("No certificate is bound to lb with id: ")


def test_a_certificate_is_deleted_when_no_rule_has_it_and_outlives_its_rule(
    cloud: Cloud, rule: Json, pairs: tuple[Pair, Pair]
) -> None:
    made = uploaded(cloud, pairs[0])
    cloud.done("assignCertToLoadBalancer", lbruleid=rule["id"], certid=made["id"])
    assert cloud.refused("deleteSslCert", 530, id=made["id"]) == INTERNAL
    cloud.done("deleteLoadBalancerRule", id=rule["id"])
    assert cloud.list("listSslCerts", "sslcert", certid=made["id"]) == [made]
    assert cloud.ok("deleteSslCert", id=made["id"]) == {"success": True}
    cloud.refused("deleteSslCert", 431, id=made["id"])


def test_anothers_certificate_is_neither_shown_nor_taken_nor_deleted(
    cloud: Cloud, other: Cloud, rule: Json, pairs: tuple[Pair, Pair]
) -> None:
    theirs = uploaded(other, pairs[0])
    cloud.refused("listSslCerts", 530, certid=theirs["id"])
    cloud.refused("assignCertToLoadBalancer", 531, lbruleid=rule["id"], certid=theirs["id"])
    cloud.refused("deleteSslCert", 531, id=theirs["id"])
    other.ok("deleteSslCert", id=theirs["id"])
