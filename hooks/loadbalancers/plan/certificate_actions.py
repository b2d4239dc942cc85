"""The actions of certificates; none holds a key."""

from dataclasses import dataclass

from hooks.loadbalancers.plan.sticky_actions import StickinessChange


@dataclass(frozen=True, slots=True)
class UploadCertificate:
    """Upload a certificate with its key, which is read when this is done.

    Attributes:
        namespace, secret: where both are.
        digest: of the certificate; another one by then is not uploaded.
        name: what it is called in CloudStack, which proves that it is ours.
    """

    namespace: str
    secret: str
    digest: str
    name: str

    def __str__(self) -> str:
        return f"upload certificate {self.digest[:16]} of Secret {self.secret}"


@dataclass(frozen=True, slots=True)
class AssignCertificate:
    """Give a rule of ours a certificate, in the place of the one that it has."""

    rule_id: str
    rule: str
    certificate_id: str
    digest: str

    def __str__(self) -> str:
        return f"assign certificate {self.digest[:16]} to rule {self.rule}"


@dataclass(frozen=True, slots=True)
class DeleteCertificate:
    """Delete a certificate of ours that no rule has."""

    certificate_id: str
    name: str

    def __str__(self) -> str:
        return f"delete certificate {self.name}"


CertificateAction = UploadCertificate | AssignCertificate | DeleteCertificate
#: What changes what rules have beside their members: a certificate, a stickiness policy.
AttachmentChange = CertificateAction | StickinessChange
