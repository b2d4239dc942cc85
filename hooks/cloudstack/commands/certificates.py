"""Uploads, assigns and deletes the certificates of load balancer rules."""

from hooks.cloudstack.commands.parameters import Command, command


def upload_ssl_cert(name: str, certificate: str, key: str, chain: str) -> Command:
    """Upload a certificate with its key, at once: the answer has it as `sslcert`.

    CloudStack takes RSA keys alone. It looks for no list of revoked certificates: with one that it
    cannot reach, it would refuse the chain.

    Args:
        name: need not be unique.
        certificate: in PEM, one alone.
        key: in PEM, without a password.
        chain: the certificates that signed it, in PEM; empty for none.
    """
    more = {"certchain": chain, "enabled_revocation_check": False} if chain else {}
    return command("uploadSslCert", name=name, certificate=certificate, private_key=key, **more)


def delete_ssl_cert(certificate_id: str) -> Command:
    """Delete a certificate, at once; one that a rule has is refused, one that is gone too."""
    return command("deleteSslCert", id=certificate_id)


def assign_cert_to_load_balancer(rule_id: str, certificate_id: str) -> Command:
    """Give a rule of the protocol `ssl` a certificate, in the place of the one it has (4.22)."""
    return command(
        "assignCertToLoadBalancer", lb_rule_id=rule_id, cert_id=certificate_id, forced=True
    )
