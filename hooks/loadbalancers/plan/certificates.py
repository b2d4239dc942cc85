"""Decides which certificate our rules have, and which ones of ours go.

A certificate takes no tags, and names are not unique: its name holds a seal over the Service and
the content. So it is ours if it was made by us for this Service, and is as we made it. It is
uploaded before a rule asks for TLS, assigned before the rule gets members, and replaced by one
command. The status names a certificate before the first upload: who takes the annotation away after
a call that died still finds what that left.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from hooks import names
from hooks.cloudstack.models.loadbalancing import TLS, LoadBalancerRule
from hooks.http.bounded_json import Json
from hooks.kube.conditions import Condition
from hooks.kube.events import Event
from hooks.kube.services import load_balancer_name
from hooks.kube.times import timestamp
from hooks.loadbalancers.plan.actions import Action
from hooks.loadbalancers.plan.certificate_actions import (
    AssignCertificate,
    DeleteCertificate,
    UploadCertificate,
)
from hooks.loadbalancers.plan.certificate_facts import KnownCertificate
from hooks.loadbalancers.plan.facts import Facts, Heir
from hooks.loadbalancers.plan.seals import certificate_name
from hooks.loadbalancers.request import LoadBalancerRequest, Port

#: Seconds before the end of a certificate from which on it is told.
EXPIRES_SOON = 7 * 86400.0
#: Condition of a load balancer whose ports ask for a certificate.
CERTIFICATE_READY = "CertificateReady"
#: Reasons of that condition.
VALID, EXPIRES = "Valid", "ExpiresSoon"
#: The first version of CloudStack whose virtual router takes certificates, and replaces them.
TLS_SINCE = (4, 22)


@dataclass(frozen=True, slots=True)
class CertificatesPlan:
    """What is done about certificates before rules change, after that, and what was refused."""

    first: tuple[Action, ...] = ()
    then: tuple[Action, ...] = ()
    complaints: tuple[str, ...] = ()


def may_have_certificates(facts: Facts) -> bool:
    """Tell whether CloudStack may have a certificate of ours, or is about to get one.

    What a Service merely asks for is none: the role of an account may not know certificates.
    """
    rules = (each for each in facts.state.rules if facts.owner.has_rule(each))
    return (
        bool(facts.certificate.digest)
        or facts.request.recorded.certificate is not None
        or any(each.protocol == TLS for each in rules)
    )


def own_certificates(facts: Facts) -> tuple[KnownCertificate, ...]:
    """Return the certificates that are ours."""
    return tuple(each for each in facts.state.certificates if _is_own(facts, each))


def plan_certificates(
    facts: Facts, served: Sequence[tuple[Port, LoadBalancerRule]]
) -> CertificatesPlan:
    """Plan the certificates of rules that serve and stay, in plan mode also of new ones."""
    planned = facts.request.spec.plan_only
    usable, asked = _usable(facts), facts.certificate
    first: tuple[Action, ...] = ()
    may_upload = _is_known(facts) and not _is_unrecorded(facts)
    if asked.digest and usable is None and may_upload:
        first = (_upload(facts),)
    if usable is None and planned and first:
        usable = KnownCertificate("", "", asked.digest)
    assigned = tuple(
        AssignCertificate(rule.id, rule.name, usable.id, usable.digest)
        for port, rule in served
        if usable and port.certificate and rule.protocol == TLS and rule.id not in usable.rules
    )
    unused = tuple(
        DeleteCertificate(each.id, each.name)
        for each in own_certificates(facts)
        if not each.rules and each != usable and _is_known(facts)
    )
    # Why nothing is uploaded is said of each port.
    return CertificatesPlan(
        facts.not_refused(first),
        facts.not_refused((*assigned, *unused)),
        facts.complaints((*assigned, *unused)),
    )


def why_waits(facts: Facts, port: Port, rule: LoadBalancerRule | None) -> str | None:
    """Say why a port gets no rule with TLS yet; empty while that is being done, None if it may.

    A rule that serves with TLS goes on to.
    """
    is_served = rule is not None and rule.protocol == TLS
    if not port.certificate or is_served or _usable(facts) is not None:
        return None
    if problem := facts.certificate.problem:
        return problem
    if words := facts.state.unread.get("certificates"):
        return f"certificates are unknown: {words}"
    if refusal := facts.refusal(_upload(facts)):
        return refusal.text
    return None if facts.request.spec.plan_only else ""


def lacks_first(facts: Facts, port: Port, rule: LoadBalancerRule) -> bool:
    """Tell whether a rule never had a certificate that it needs: without members nobody is lost.

    Where that is not known, one that lost its members gets others: it may have had one.
    """
    is_known = "certificates" not in facts.state.unread
    has_any = not is_known or any(rule.id in each.rules for each in facts.state.certificates)
    is_bare = not facts.state.members_of(rule.id) and rule.id not in facts.state.unread_members
    return port.certificate != "" and rule.protocol == TLS and not has_any and is_bare


def awaits_record(facts: Facts) -> bool:
    """Tell whether the status has to name a certificate before it is uploaded."""
    spec = facts.request.spec
    return _is_unrecorded(facts) and not (spec.plan_only or spec.invalid)


def remove_unused(facts: Facts) -> tuple[Action, ...]:
    """Delete what is ours once no rule has it, when the load balancer goes."""
    found = (each for each in own_certificates(facts) if not each.rules)
    return tuple(DeleteCertificate(each.id, each.name) for each in found)


def serves_heir(facts: Facts, heir: Heir) -> bool:
    """Tell whether a rule that the Service made again takes over has a certificate of ours.

    It has our name until it has that one's. A rule of somebody else keeps the certificate for
    good, so nobody waits for that.
    """
    prefixes = tuple(map(load_balancer_name, (facts.request.spec.service.uid, heir.uid)))
    taken = {each.id for each in facts.state.rules if each.name.startswith(prefixes)}
    return any(each.rules & taken for each in own_certificates(facts))


def left_in_use(facts: Facts) -> tuple[Event, ...]:
    """Return an Event about those of ours that rules of others have, so that they stay."""
    left = [each.name for each in own_certificates(facts) if each.rules]
    message = f"Rules of others have this Service's certificate, which stays: {', '.join(left)}"
    event = Event(facts.request.service, names.EVENT_ADDRESS_KEPT, message, type="Warning")
    return (event,) if left else ()


def status_fields(facts: Facts) -> Json:
    """Return what the status holds of the certificate, until nothing of ours is left."""
    asked, recorded = facts.certificate, facts.request.recorded.certificate
    if asked.digest:
        shown = {"secret": asked.secret, "digest": asked.digest}
        return {"certificate": {**shown, "expires": timestamp(asked.expires)}}
    stays = asked.secret or own_certificates(facts) or not _is_known(facts)
    written = facts.request.recorded_json.get("certificate")
    return {"certificate": written} if recorded and stays else {}


def conditions(facts: Facts) -> tuple[Condition, ...]:
    """Say whether the certificate can be used, and when it ends; nothing if none is asked for."""
    asked = facts.certificate
    if not asked.secret:
        return ()
    if asked.problem:
        return (Condition(CERTIFICATE_READY, "False", asked.reason, asked.problem),)
    until = f"The certificate of Secret {asked.secret} holds until {timestamp(asked.expires)}"
    is_late = asked.expires - facts.now <= EXPIRES_SOON
    return (Condition(CERTIFICATE_READY, "True", EXPIRES if is_late else VALID, until),)


def events(facts: Facts) -> tuple[Event, ...]:
    """Tell once that a certificate ends soon, or that its Secret cannot be used."""
    before = facts.request.recorded.condition(CERTIFICATE_READY)
    return tuple(
        Event(facts.request.service, names.EVENT_CERTIFICATE, each.message, type="Warning")
        for each in conditions(facts)
        if each.reason not in (VALID, before.reason)
    )


def why_not_here(facts: Facts) -> str:
    """Say why the network's load balancer takes no certificate; empty if it does."""
    network = facts.network
    can = network is not None and network.capability("Lb", "SslTermination").lower() == "true"
    if can and facts.version.at_least(*TLS_SINCE):
        return ""
    return "the network's load balancer takes no certificates (CloudStack's own does since 4.22)"


def is_recorded(request: LoadBalancerRequest, digest: str) -> bool:
    """Tell whether the status names this certificate, or none is asked for."""
    recorded = request.recorded.certificate
    return not digest or (recorded is not None and recorded.digest == digest)


def _is_unrecorded(facts: Facts) -> bool:
    """Tell whether the status names no certificate yet, and one is to be uploaded."""
    is_named = facts.request.recorded.certificate is not None or facts.request.spec.plan_only
    return bool(facts.certificate.digest) and not is_named


def _is_known(facts: Facts) -> bool:
    """Tell whether it is known which certificates are needed, and which there are."""
    asked = facts.certificate
    return "certificates" not in facts.state.unread and not (asked.secret and asked.problem)


def _is_own(facts: Facts, found: KnownCertificate) -> bool:
    return bool(found.digest) and found.name == _name(facts, found.digest)


def _name(facts: Facts, digest: str) -> str:
    return certificate_name(facts.owner.mark, facts.seal_key, digest)


def _upload(facts: Facts) -> UploadCertificate:
    asked = facts.certificate
    namespace = facts.request.metadata.namespace
    return UploadCertificate(namespace, asked.secret, asked.digest, _name(facts, asked.digest))


def _usable(facts: Facts) -> KnownCertificate | None:
    """Return the certificate of ours that rules should have; None if there is none.

    While its Secret cannot be used, that is one that serves already, else the last one.
    """
    asked, own = facts.certificate, own_certificates(facts)
    if not asked.secret:
        return None
    if asked.digest:
        return _most_used(each for each in own if each.digest == asked.digest)
    recorded = facts.request.recorded.certificate
    last = (each for each in own if recorded and each.digest == recorded.digest)
    return _most_used(each for each in own if each.rules) or _most_used(last)


def _most_used(found: Iterable[KnownCertificate]) -> KnownCertificate | None:
    """Choose one of several, as two replicas may have uploaded them: both choose the same."""
    return min(found, key=lambda each: (-len(each.rules), each.id), default=None)
