"""A Service whose ports speak TLS at the load balancer, and the Secrets with its certificates."""

from base64 import b64decode, b64encode
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.types import CertificateIssuerPrivateKeyTypes
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from hooks.cloudstack import Cloud
from hooks.http.bounded_json import Json
from hooks.loadbalancers.hook import LoadBalancersHook
from tests.integration.loadbalancers.driver import LoadBalancer, World, make_hook, port

SECRET = "web-tls"
#: The Service's certificate holds for so many days, if a test says nothing else.
DAYS = 90.0


@cache
def rsa_key(number: int = 0) -> rsa.RSAPrivateKey:
    """Return a key; the same for the same number, as making one takes long."""
    del number
    return rsa.generate_private_key(65537, 2048)


def make_certificate(
    now: float,
    name: str = "web",
    *,
    days: float = DAYS,
    key: CertificateIssuerPrivateKeyTypes,
    issuer: str = "",
) -> str:
    """Return a certificate in PEM, good for so many days from now on; by default its own issuer."""
    subject, by = (
        x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, one)])
        for one in (name, issuer or name)
    )
    builder = x509.CertificateBuilder(by, subject, key.public_key())
    builder = builder.serial_number(x509.random_serial_number())
    moment = datetime.fromtimestamp(now, tz=UTC)
    builder = builder.not_valid_before(moment - timedelta(days=30))
    signed = builder.not_valid_after(moment + timedelta(days=days)).sign(key, SHA256())
    return signed.public_bytes(Encoding.PEM).decode()


def pem_of(key: CertificateIssuerPrivateKeyTypes) -> str:
    """Return a key in PEM, without a password."""
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def secret(certificate: str, key: str, kind: str = "kubernetes.io/tls") -> Json:
    """Return a Secret with a certificate and a key, both in PEM."""
    texts = {"tls.crt": certificate, "tls.key": key}
    data = {name: b64encode(text.encode()).decode() for name, text in texts.items()}
    return {"kind": "Secret", "apiVersion": "v1", "type": kind, "data": data}


def secret_path(name: str = SECRET, namespace: str = "default") -> str:
    return f"/api/v1/namespaces/{namespace}/secrets/{name}"


def put(world: World, *, number: int = 0, days: float = DAYS, name: str = "web") -> str:
    """Write a certificate into the Secret, in the place of the one it has; return its key."""
    key = rsa_key(number)
    certificate = make_certificate(world.now, name, days=days, key=key)
    world.cluster.objects[secret_path()] = secret(certificate, pem_of(key))
    return pem_of(key)


def tls(public: int = 443, name: str = SECRET) -> Json:
    """Return a port that speaks TLS."""
    return port(public) | {"certificate": name}


def secured(world: World, ports: Sequence[Json] | None = None, **spec: Any) -> LoadBalancer:
    """Make an object whose port 443 speaks TLS."""
    return LoadBalancer(world, ports=[tls()] if ports is None else list(ports), **spec)


def tls_hook(world: World, cloud: Cloud, **settings: Any) -> LoadBalancersHook:
    """Make a hook that may read Secrets."""
    return make_hook(world, cloud, load_balancer_certificates=True, **settings)


def certificates(world: World) -> list[Json]:
    """Return the certificates that CloudStack has."""
    return list(world.state()["certificates"])


def shown(world: World) -> dict[int, str | None]:
    """Return which certificate each rule shows, in PEM, by port."""
    pems = {each["id"]: each["certificate"] for each in certificates(world)}
    return {each["publicport"]: pems.get(each["certificate"]) for each in world.rules()}


def asked(world: World) -> str:
    """Return the certificate in the Secret, in PEM."""
    return b64decode(world.cluster.objects[secret_path()]["data"]["tls.crt"]).decode()
