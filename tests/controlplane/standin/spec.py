"""Reads DecoratorControllers and CompositeControllers, and refuses what the stand-in cannot do."""

import base64
import re
from dataclasses import dataclass
from urllib.parse import urlsplit

from tests.controlplane.api import Api, Object
from tests.controlplane.standin import objects, strict

API_VERSION = "metacontroller.k8s.io/v1alpha1"
DECORATOR = "DecoratorController"
COMPOSITE = "CompositeController"
DEFAULT_TIMEOUT = 10.0
METHODS = ("OnDelete", "Recreate", "InPlace")


class SpecError(Exception):
    """A controller cannot be run as it is written; the message names the field."""


@dataclass(frozen=True)
class SecretKey:
    """Where a bearer token is kept."""

    scheme: str
    namespace: str
    name: str
    key: str


@dataclass(frozen=True)
class HookSpec:
    """Where a hook is."""

    url: str
    timeout: float
    authorization: SecretKey | None


@dataclass(frozen=True)
class ParentRule:
    """Which objects a controller is for."""

    api_version: str
    resource: str
    label_selector: Object | None
    annotation_selector: Object | None
    ignore_status_changes: bool


@dataclass(frozen=True)
class ChildRule:
    """Which kind of object a controller makes, and how one is changed."""

    api_version: str
    resource: str
    method: str


@dataclass(frozen=True)
class ControllerSpec:
    """One controller as it was written, and as requests carry it."""

    source: Object
    sent: Object
    parents: tuple[ParentRule, ...]
    children: tuple[ChildRule, ...]
    hooks: dict[str, HookSpec]
    resync: float | None

    @property
    def kind(self) -> str:
        """Return DecoratorController or CompositeController."""
        return str(self.source["kind"])

    @property
    def name(self) -> str:
        """Return the controller's name."""
        return objects.name(self.source)

    @property
    def finalizer(self) -> str:
        """Return the finalizer that the controller puts on its parents if it has the hook."""
        return f"metacontroller.io/{self.kind.lower()}-{self.name}"


def parse(source: Object) -> ControllerSpec:
    """Return what a controller object asks for; SpecError for what it may not ask."""
    spec = source.get("spec") or {}
    composite = source["kind"] == COMPOSITE
    try:
        (_COMPOSITE if composite else _DECORATOR)(spec, "spec")
    except strict.ShapeError as error:
        raise SpecError(str(error)) from error
    if composite and not spec.get("generateSelector"):
        raise SpecError("spec.generateSelector: the stand-in knows only composites that have it")
    parents = [spec.get("parentResource") or {}] if composite else spec.get("resources") or []
    children = spec.get("childResources" if composite else "attachments") or []
    hooks = spec.get("hooks") or {}
    if not hooks.get("sync"):
        raise SpecError("spec.hooks.sync: a controller without it does nothing")
    every = spec.get("resyncPeriodSeconds")
    return ControllerSpec(
        source=source,
        sent=_as_sent(source),
        parents=tuple(_parent(rule) for rule in parents),
        children=tuple(_child(rule) for rule in children),
        hooks={
            name: _hook(f"spec.hooks.{name}", hook, _by_host(spec))
            for name, hook in hooks.items()
            if hook
        },
        resync=None if every is None else float(every),
    )


def _as_sent(source: Object) -> Object:
    """Return a controller as requests carry it: a status always, empty lists never.

    The rules for a composite's children have a field more than was written.
    """
    spec = {key: value for key, value in source["spec"].items() if value != []}
    if "childResources" in spec:
        spec["childResources"] = [_with_checks(child) for child in spec["childResources"]]
    return {**source, "spec": spec, "status": source.get("status") or {}}


def _with_checks(child: Object) -> Object:
    strategy = child.get("updateStrategy")
    return {**child, "updateStrategy": {**strategy, "statusChecks": {}}} if strategy else child


def _parent(rule: Object) -> ParentRule:
    by_annotation = rule.get("annotationSelector")
    if by_annotation is not None:
        by_annotation = {
            "matchLabels": by_annotation.get("matchAnnotations"),
            "matchExpressions": by_annotation.get("matchExpressions"),
        }
    return ParentRule(
        api_version=str(rule.get("apiVersion", "")),
        resource=str(rule.get("resource", "")),
        label_selector=rule.get("labelSelector"),
        annotation_selector=by_annotation,
        ignore_status_changes=bool(rule.get("ignoreStatusChanges")),
    )


def _child(rule: Object) -> ChildRule:
    method = (rule.get("updateStrategy") or {}).get("method") or "OnDelete"
    if method not in METHODS:
        raise SpecError(
            f"updateStrategy.method of {rule.get('resource')}: {method} is not one that the"
            f" stand-in knows ({', '.join(METHODS)})"
        )
    return ChildRule(str(rule.get("apiVersion", "")), str(rule.get("resource", "")), method)


def _by_host(spec: Object) -> dict[str, Object]:
    """Return what counts for all hooks of a host that say nothing of it themselves."""
    return {str(one.get("host", "")): one for one in spec.get("endpointConfigs") or []}


def _hook(path: str, hook: Object, by_host: dict[str, Object]) -> HookSpec:
    if hook.get("version") != "v2":
        raise SpecError(f"{path}.version: {hook.get('version')} is not v2")
    webhook = hook.get("webhook") or {}
    if not webhook.get("url"):
        raise SpecError(f"{path}.webhook.url: is not there")
    timeout = webhook.get("timeout")
    endpoint = by_host.get(urlsplit(str(webhook["url"])).netloc, {})
    return HookSpec(
        url=str(webhook["url"]),
        timeout=seconds(f"{path}.webhook.timeout", timeout) if timeout else DEFAULT_TIMEOUT,
        authorization=_secret_key(webhook.get("authorization") or endpoint.get("authorization")),
    )


def _secret_key(authorization: Object | None) -> SecretKey | None:
    if authorization is None:
        return None
    where = authorization.get("secretRef") or {}
    scheme = str(authorization.get("type") or "Bearer").strip()
    if scheme.lower() == "basic":
        raise SpecError("authorization.type: Basic is what basicAuth is for")
    namespace, name, key = (str(where.get(field, "")) for field in ("namespace", "name", "key"))
    return SecretKey(scheme, namespace, name, key)


def seconds(path: str, duration: str) -> float:
    """Return the seconds of a duration as Go writes them: "15s", "1m30s", "500ms"."""
    units = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
    if not re.fullmatch(r"(\d+(\.\d+)?(ms|s|m|h))+", duration):
        raise SpecError(f"{path}: {duration} is not a duration, as 15s is")
    parts = re.findall(r"(\d+(?:\.\d+)?)(ms|s|m|h)", duration)
    return sum(float(count) * units[unit] for count, unit in parts) or DEFAULT_TIMEOUT


_AUTHORIZATION = strict.record(
    {
        "type": strict.text,
        "secretRef": strict.record(
            {"namespace": strict.text, "name": strict.text, "key": strict.text}
        ),
    }
)
_HOOK = strict.record(
    {
        "version": strict.text,
        "webhook": strict.record(
            {"url": strict.text, "timeout": strict.text, "authorization": _AUTHORIZATION}
        ),
    }
)
_ENDPOINTS = strict.items_of(strict.record({"host": strict.text, "authorization": _AUTHORIZATION}))
_HOOKS = strict.record({"sync": _HOOK, "finalize": _HOOK, "customize": _HOOK})
_PARENT = {
    "apiVersion": strict.text,
    "resource": strict.text,
    "labelSelector": strict.LABEL_SELECTOR,
    "ignoreStatusChanges": strict.flag,
}
_CHILD = strict.record(
    {
        "apiVersion": strict.text,
        "resource": strict.text,
        "updateStrategy": strict.record({"method": strict.text}),
    }
)
_ANNOTATION_SELECTOR = strict.record(
    {
        "matchAnnotations": strict.values_of(strict.text),
        "matchExpressions": strict.items_of(strict.mapping),
    }
)
_DECORATOR = strict.record(
    {
        "resources": strict.items_of(
            strict.record({**_PARENT, "annotationSelector": _ANNOTATION_SELECTOR})
        ),
        "attachments": strict.items_of(_CHILD),
        "hooks": _HOOKS,
        "endpointConfigs": _ENDPOINTS,
        "resyncPeriodSeconds": strict.whole,
    }
)
_COMPOSITE = strict.record(
    {
        "parentResource": strict.record(_PARENT),
        "childResources": strict.items_of(_CHILD),
        "hooks": _HOOKS,
        "endpointConfigs": _ENDPOINTS,
        "resyncPeriodSeconds": strict.whole,
        "generateSelector": strict.flag,
    }
)


def authorization(where: SecretKey, api: Api) -> str:
    """Return the Authorization header that a Secret holds the value of; read once."""
    secret = api.resource("v1", "secrets").get(where.name, where.namespace)
    held = (secret.get("data") or {}).get(where.key)
    if held is None:
        raise SpecError(f"secret {where.namespace}/{where.name} has no key {where.key}")
    return f"{where.scheme} {base64.b64decode(held).decode().strip()}"
