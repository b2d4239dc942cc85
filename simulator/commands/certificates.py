"""Certificates for load balancer rules of the protocol `ssl`, one of a rule at most."""

from typing import Any

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from simulator.call import Answer, Call
from simulator.commands.load_balancers import check_exists, required_rule
from simulator.errors import INTERNAL_ERROR, ApiError, invalid
from simulator.jobs import Result, Work
from simulator.model import Account, LoadBalancerRule, Project, SslCertificate
from simulator.registry import command
from simulator.services import terminates_tls
from simulator.timing import REPLACED_CERTIFICATE, Load
from simulator.world import World


@command(
    "uploadSslCert",
    "certificate!~16384 privatekey!~16384 certchain~2097152 password account projectid:project "
    "domainid:domain name! enabledrevocationcheck:boolean@4.15",
)
def upload_ssl_cert(call: Call) -> Answer:
    """Upload an RSA certificate with its key, which no answer shows; names are not unique."""
    pem, chain = call.args.required("certificate"), call.args.text("certchain")
    fingerprint = check_pair(call, pem, call.args.required("privatekey"))
    if chain is not None:
        check_chain(chain, revocation=call.args.flag("enabledrevocationcheck", default=True))
    name = call.args.required("name")
    certificate_id, number = call.world.identity("certificate", f"{name}/{fingerprint}")
    made = SslCertificate(
        certificate_id, number, name, call.world.clock.now(), call.owner(), pem, chain, fingerprint
    )
    return {"sslcert": view_certificate(call.world, call.world.certificates.add(made))}


def check_pair(call: Call, pem: str, key: str) -> str:
    """Return the fingerprint of a certificate whose key this is.

    A key of another kind than RSA is refused: the server names its algorithm in two ways.
    """
    certificate = read_certificate(pem)
    if not certificate.not_valid_after_utc.timestamp() > call.world.clock.now():
        raise ApiError(530, "Parsing certificate/key failed: the certificate has expired")
    if not certificate.not_valid_before_utc.timestamp() <= call.world.clock.now():
        raise ApiError(530, "Parsing certificate/key failed: the certificate is not valid yet")
    private, public = read_key(key), certificate.public_key()
    if not isinstance(private, RSAPrivateKey) or not isinstance(public, RSAPublicKey):
        raise ApiError(530, "Public and private key have different algorithms")
    if private.public_key() != public:
        raise ApiError(530, "Bad public-private key")
    return certificate.fingerprint(SHA256()).hex(":").upper()


def read_certificate(pem: str) -> x509.Certificate:
    """Return the first certificate of a text; the server has no words for another text."""
    try:
        return x509.load_pem_x509_certificates(pem.encode())[0]
    except ValueError:
        raise ApiError(530, "") from None


def read_key(pem: str) -> object:
    """Return a private key; the hooks send none behind a password."""
    try:
        return load_pem_private_key(pem.encode(), None)
    except TypeError:
        raise ApiError(530, "Key is encrypted by PKCS#8 but password is null") from None
    except (ValueError, UnsupportedAlgorithm):
        raise ApiError(530, "Cannot parse private key") from None


def check_chain(chain: str, *, revocation: bool) -> None:
    """Refuse a chain that is none, or any while its revocation is checked: no list is in reach.

    Without that check, the server takes also certificates that have signed nothing.
    """
    try:
        x509.load_pem_x509_certificates(chain.encode())
    except ValueError:
        raise ApiError(530, "Parsing certificate/key failed: the chain is none") from None
    if revocation:
        raise ApiError(530, "Invalid certificate chain")


@command("deleteSslCert", "id:certificate!")
def delete_ssl_cert(call: Call) -> Answer:
    """Delete a certificate that no rule has."""
    certificate = call.args.entity("id", SslCertificate)
    assert certificate is not None  # noqa: S101 - required
    if rules_with(call.world, certificate):
        raise ApiError(530, INTERNAL_ERROR, 0)
    call.world.certificates.remove(certificate)
    return {"success": True}


@command("listSslCerts", "certid:certificate accountid:account lbruleid:rule projectid:project")
def list_ssl_certs(call: Call) -> Answer:
    """List the certificates of an account or a project, or the one of a rule, or of an id.

    Exactly one of these is asked for; anything else is an internal error, as another's is.
    """
    asked = [name for name in ("certid", "accountid", "lbruleid", "projectid") if name in call.args]
    if len(asked) != 1:
        raise ApiError(530, INTERNAL_ERROR, 0)
    found = certificates_of(call)
    if not all(call.may_use(one.account) for one in found):
        raise ApiError(530, INTERNAL_ERROR, 0)
    # This list knows no pages.
    shown = [view_certificate(call.world, one) for one in found]
    return {"count": len(shown), "sslcert": shown} if shown else {}


def certificates_of(call: Call) -> list[SslCertificate]:
    """Return the certificates that a list asks for."""
    rule = call.args.entity("lbruleid", LoadBalancerRule)
    if rule is not None:
        if not call.may_use(rule.account):
            raise ApiError(530, INTERNAL_ERROR, 0)
        return [rule.certificate] if rule.certificate is not None else []
    project = call.args.entity("projectid", Project)
    owner = project.account if project is not None else call.args.entity("accountid", Account)
    return [
        one
        for one in call.world.certificates
        if call.selects("certid", one) and owner in {None, one.account}
    ]


@command(
    "assignCertToLoadBalancer",
    "lbruleid:rule! certid:certificate! forced:boolean@4.22",
    job="user.loadbalancer.AssignCertToLoadBalancerCmd",
)
def assign_cert_to_load_balancer(call: Call) -> Work:
    """Assign a certificate to a rule of the protocol `ssl`; `forced` replaces the one it has."""
    rule = required_rule(call, "lbruleid")
    certificate = call.args.entity("certid", SslCertificate)
    assert certificate is not None  # noqa: S101 - required
    forced = call.args.flag("forced")

    def finish() -> Result:
        check_exists(call.world, rule)
        if certificate not in call.world.certificates:
            raise invalid(f"Invalid certificate id: {certificate.number}")
        if rule.account is not certificate.account:
            raise invalid(f"Access denied for account {certificate.account.number}")
        if not terminates_tls(rule.network.offering, call.world.version):
            raise invalid("Ssl termination not supported by the loadbalancer")
        if rule.protocol != "ssl":
            raise invalid(f"Bad LB protocol: Expected ssl got {rule.protocol}")
        if rule.certificate is not None and not forced:
            raise invalid("Another certificate is already bound to the LB")
        rule.certificate = certificate
        return {"success": True}

    more = REPLACED_CERTIFICATE if forced and rule.certificate is not None else 0.0
    return Work(finish, load=Load("certificate", more=more))


@command(
    "removeCertFromLoadBalancer",
    "lbruleid:rule!",
    job="user.loadbalancer.RemoveCertFromLoadBalancerCmd",
)
def remove_cert_from_load_balancer(call: Call) -> Work:
    """Take a rule's certificate from it; the rule stays as it is."""
    rule = required_rule(call, "lbruleid")

    def finish() -> Result:
        check_exists(call.world, rule)
        if rule.certificate is None:
            raise invalid(f"No certificate is bound to lb with id: {rule.number}")
        rule.certificate = None
        return {"success": True}

    return Work(finish, load=Load("certificate"))


def rules_with(world: World, certificate: SslCertificate) -> list[LoadBalancerRule]:
    """Return the rules that have a certificate."""
    return [rule for rule in world.rules if rule.certificate is certificate]


def view_certificate(world: World, one: SslCertificate) -> dict[str, Any]:
    """Show a certificate, with its rules where it has any, and never its key."""
    owner, domain, used = one.account, one.account.domain, rules_with(world, one)
    project = owner.project
    return {
        "id": one.id,
        "certificate": one.pem,
        **({} if project is None else {"projectid": project.id, "project": project.name}),
        "account": owner.name,
        "domainid": domain.id,
        "domain": domain.name,
        **({} if one.chain is None else {"certchain": one.chain}),
        "fingerprint": one.fingerprint,
        **({"loadbalancerrulelist": [rule.id for rule in used]} if used else {}),
        "name": one.name,
    }
