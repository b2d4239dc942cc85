"""Knows what other providers leave on a Service and in CloudStack, and when a Service is ours."""

from hooks import names
from hooks.http.bounded_json import Json
from hooks.services.facts import Facts, annotations, finalizers, load_balancer_name, parts
from hooks.services.plan import fields

#: Where nobody was before us.
NOTHING_LEFT: Json = {"address": "", "associatedByController": False, "names": []}

_NOTES = (names.ANNOTATION_ID, names.ANNOTATION_NETWORK_ID, names.ANNOTATION_IP_ASSOCIATED)


def left_behind(facts: Facts, cluster_name: str) -> Json:
    """Write what another provider may have left: its address, and the names of its rules.

    Signs of another provider are the finalizer of cloud controller managers, notes in annotations,
    and an address in a status that is not ours.
    """
    service = facts.service
    notes = annotations(service)
    address = _published_address(service) or _noted_address(notes)
    held = names.SERVICE_FINALIZER in finalizers(service)
    signs = address or held or any(note in notes for note in _NOTES)
    if facts.is_ours or not signs:
        return NOTHING_LEFT
    return {
        "address": address,
        "associatedByController": bool(address) and _was_associated(service, address),
        "names": rule_names(service, cluster_name),
    }


def rule_names(service: Json, cluster_name: str) -> list[str]:
    """Name the rules that other providers make for a Service.

    The existing provider writes `a<uid>-tcp-80`, its fork `K8s_svc_CLUSTER_NAMESPACE_NAME-tcp-80`,
    the one that was part of Kubernetes `a<uid>-80`.
    """
    metadata = service["metadata"]
    prefix = load_balancer_name(service)
    fork = f"K8s_svc_{cluster_name}_{metadata['namespace']}_{metadata['name']}"[:255]
    found: dict[str, None] = {}
    for port in parts(service, "spec").get("ports") or ():
        protocol = (port.get("protocol") or "TCP").lower()
        for variant in ("tcp", "tcp-proxy") if protocol == "tcp" else (protocol,):
            found[f"{prefix}-{variant}-{port['port']}"] = None
            found[f"{fork}-{variant}-{port['port']}"] = None
        found[f"{prefix}-{port['port']}"] = None
    return list(found)


def put_back(facts: Facts) -> str:
    """Say who put the other provider's finalizer on a Service of ours, and when.

    Empty where nobody did: it was there before the load balancer, and is about to be taken off.
    The API server notes who wrote a field last, and when (`metadata.managedFields`).
    """
    metadata = parts(facts.service, "metadata")
    ours_since = parts(facts.load_balancer or {}, "metadata").get("creationTimestamp")
    for entry in metadata.get("managedFields") or ():
        written = parts(entry, "fieldsV1", "f:metadata", "f:finalizers")
        time = entry.get("time") or ""
        if ours_since and time > ours_since and f'v:"{names.SERVICE_FINALIZER}"' in written:
            return f"{entry.get('manager') or 'somebody'} at {time}"
    return ""


def spent_notes(service: Json) -> list[str]:
    """List the annotations that other providers wrote and that mislead once the address is gone."""
    notes = annotations(service)
    spent = [note for note in _NOTES if note in notes]
    if names.ANNOTATION_ID in notes and names.ANNOTATION_ADDRESS in notes:
        spent.append(names.ANNOTATION_ADDRESS)
    return spent


def _published_address(service: Json) -> str:
    """Find the IPv4 address that the Service's status shows."""
    for ingress in parts(service, "status", "loadBalancer").get("ingress") or ():
        address = _ipv4(ingress.get("ip") or "")
        if address:
            return address
    return ""


def _noted_address(notes: dict[str, str]) -> str:
    """Find the address that the fork noted beside its id."""
    return _ipv4(notes.get(names.ANNOTATION_ADDRESS, "")) if names.ANNOTATION_ID in notes else ""


def _ipv4(text: str) -> str:
    return fields.fit(lambda: fields.ipv4_address(text), otherwise="")


def _was_associated(service: Json, address: str) -> bool:
    """Tell whether the other provider would release the address with the Service.

    The fork always does; the existing provider does unless the Service asks for the address and it
    had been allocated by somebody else.
    """
    notes = annotations(service)
    asked = _ipv4(parts(service, "spec").get("loadBalancerIP") or "")
    noted = notes.get(names.ANNOTATION_IP_ASSOCIATED, "").strip().lower() == "true"
    return names.ANNOTATION_ID in notes or noted or asked != address
