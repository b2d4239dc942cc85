"""Reads a Service's certificate from its Secret, and those that CloudStack has; uploads one."""

from contextlib import suppress
from dataclasses import replace
from ipaddress import ip_address
from urllib.parse import urlsplit

from hooks.cloudstack.commands.certificates import upload_ssl_cert
from hooks.cloudstack.errors import Refused, Unreachable
from hooks.cloudstack.models.certificates import SslCertificate
from hooks.kube.client import KubeError, NotFound
from hooks.kube.kinds import SECRET
from hooks.kube.services import load_balancer_name
from hooks.loadbalancers.context import CallContext
from hooks.loadbalancers.key_pairs import BadPair, KeyPair, digest_of, read_pair
from hooks.loadbalancers.partial_lists import list_deadline, why_unread
from hooks.loadbalancers.plan.certificate_actions import UploadCertificate
from hooks.loadbalancers.plan.certificate_facts import AskedCertificate, KnownCertificate
from hooks.loadbalancers.plan.certificates import may_have_certificates, why_not_here
from hooks.loadbalancers.plan.facts import Facts
from hooks.webhook.reconcile import Outdated

_NO_RIGHT = (
    "the operator may not read Secrets: give it that right by the component "
    "cloud-controller-certificates, or the chart's value cloudController.certificates"
)
_IN_CLEAR = "the key would go to CloudStack in clear text: write an api-url with https"


def travels_in_clear(api_url: str) -> bool:
    """Tell whether others on the way to CloudStack could read a key that is sent there."""
    url = urlsplit(api_url)
    is_here = url.hostname == "localhost"
    with suppress(ValueError):
        is_here = ip_address(url.hostname or "").is_loopback
    return url.scheme == "http" and not is_here


def read_asked(facts: Facts, context: CallContext) -> AskedCertificate:
    """Read the Secret that the ports name, in their Service's namespace, if we have the right to.

    What is wrong with it is told, and ends no call: what serves goes on to. It is not read where
    the network would not take its certificate.
    """
    request = facts.request
    secret = request.secret
    if not secret or request.is_deleting:
        return AskedCertificate()
    if problem := why_not_here(facts):
        return AskedCertificate(secret, reason="NotServedHere", problem=problem)
    if not context.reads_secrets:
        return AskedCertificate(secret, reason="SecretsNotAllowed", problem=_NO_RIGHT)
    if travels_in_clear(context.cloud.config.api_url):
        return AskedCertificate(secret, reason="KeyNotSafe", problem=_IN_CLEAR)
    try:
        pair = _read(request.metadata.namespace, secret, context)
    except NotFound:
        return AskedCertificate(secret, reason="NoSecret", problem=f"there is no Secret {secret}")
    except KubeError as error:
        problem = f"Secret {secret} cannot be read: {error.without_text}"
        return AskedCertificate(secret, reason="SecretNotRead", problem=problem)
    except BadPair as error:
        return AskedCertificate(secret, reason="BadSecret", problem=f"Secret {secret} {error}")
    return AskedCertificate(secret, pair.digest, pair.expires)


def _read(namespace: str, name: str, context: CallContext) -> KeyPair:
    """Read a Secret's pair. Raises KubeError and BadPair."""
    limit = list_deadline(context.deadline)
    found = context.kube.get(SECRET.path(namespace, name), deadline=limit)
    return read_pair(found, context.clock())


def upload(action: UploadCertificate, context: CallContext) -> str:
    """Upload a certificate with its key, and return its id.

    Raises:
        Outdated: the Secret has another one by now, or none.
        CloudStackError, KubeError: as any action.
    """
    try:
        pair = _read(action.namespace, action.secret, context)
    except (NotFound, BadPair) as error:
        raise Outdated(f"Secret {action.secret} has changed: {error}") from None
    if pair.digest != action.digest:
        raise Outdated(f"Secret {action.secret} has another certificate by now")
    command = upload_ssl_cert(action.name, pair.certificate, pair.key, pair.chain)
    answer = context.cloud.client.call(command.name, command.params, context.deadline)
    made = answer.get("sslcert")
    return str(made.get("id") or "") if isinstance(made, dict) else ""


def with_certificates(facts: Facts, context: CallContext) -> Facts:
    """Read the certificates that may be ours, and those that rules of ours have.

    An account that may not list them serves on with what it has. Raises CloudStackError.
    """
    unread = facts.state.unread
    if "certificates" in unread or not may_have_certificates(facts):
        return replace(facts, state=replace(facts.state, certificates=()))
    limit = list_deadline(context.deadline)
    had = limit.remaining()
    try:
        listed = context.cloud.certificates(limit)
    except (Refused, Unreachable) as error:
        # One that cannot be read for good, as it is too large, is needed for certificates alone.
        is_unusable = isinstance(error, Unreachable) and not error.transient
        if words := str(error) if is_unusable else why_unread(error, had):
            unread = {**unread, "certificates": words}
            return replace(facts, state=replace(facts.state, certificates=(), unread=unread))
        raise
    found = (_known(each, facts) for each in listed)
    known = tuple(each for each in found if each.digest or each.rules)
    return replace(facts, state=replace(facts.state, certificates=known))


def _known(listed: SslCertificate, facts: Facts) -> KnownCertificate:
    """Look into those alone whose name may be one of ours."""
    is_named = listed.name.startswith(load_balancer_name(facts.request.spec.service.uid))
    digest = digest_of(listed.pem, listed.chain) if is_named else ""
    return KnownCertificate(listed.id, listed.name, digest, frozenset(listed.rules))
