"""Sets a scene to judge Metacontroller in: a controller, its parents, and hooks that answer."""

from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from itertools import count

from tests.controlplane import manifests, polling
from tests.controlplane.api import Api, Object, Objects, Resource
from tests.controlplane.cluster import ControlPlane
from tests.controlplane.hookserver import Answer, Call, HookServer, Reply
from tests.controlplane.manifests import Hooks

GROUP = "judged.example.com/v1"
LABEL = "judged.example.com/scene"
NOTE = "judged.example.com/note"

Children = Sequence[tuple[str, str]]
_FENCES = count()


@dataclass
class Scene:
    """One test's controller, by whose name its parents are labelled and its hooks called."""

    name: str
    api: Api
    hooks: HookServer
    stack: ExitStack = field(repr=False)
    token: str = ""

    @property
    def services(self) -> Resource:
        """Return the Services, parents that have no generation."""
        return self.api.resource("v1", "services")

    @property
    def widgets(self) -> Resource:
        """Return the Widgets, parents with a status of a fixed shape."""
        return self.api.resource(GROUP, "widgets")

    @property
    def parts(self) -> Resource:
        """Return the Parts, children with any fields and no status subresource."""
        return self.api.resource(GROUP, "parts")

    def answers(self, hook: str, answer: Answer | Reply | Object) -> None:
        """Have a hook answer from now on."""
        self.hooks.answer(f"/{self.name}/{hook}", answer)

    def calls(self, hook: str, parent: str = "") -> list[Call]:
        """Return the calls of a hook so far, about this scene's parent or another."""
        return [
            call
            for call in self.hooks.calls(f"/{self.name}/{hook}")
            if _parent(call)["metadata"]["name"] == (parent or self.name)
        ]

    def called(self, hook: str, times: int = 1) -> list[Call]:
        """Wait until a hook was called so many times, at least, and return the calls."""

        def enough() -> list[Call] | None:
            calls = self.calls(hook)
            return calls if len(calls) >= times else None

        return polling.until(enough, f"{hook} is called {times} times")

    def decorate(
        self,
        resource: str = "services",
        *,
        hooks: Iterable[str] = ("sync",),
        children: Children = (),
        parent: Object | None = None,
        **spec: object,
    ) -> None:
        """Make a DecoratorController; `children` are pairs of a resource and an update method.

        In `spec`, `webhook` holds what each hook's webhook has besides its URL.
        """
        rule = {**_resource(resource), "labelSelector": self._selector(), **(parent or {})}
        attachments = [_child(*child) for child in children]
        self._apply(
            "DecoratorController", hooks, {"resources": [rule], "attachments": attachments, **spec}
        )

    def compose(
        self,
        *,
        hooks: Iterable[str] = ("sync",),
        children: Children = (),
        parent: Object | None = None,
        **spec: object,
    ) -> None:
        """Make a CompositeController for Widgets."""
        rule = {**_resource("widgets"), "labelSelector": self._selector(), **(parent or {})}
        resources = [_child(*child) for child in children]
        asked = {
            "parentResource": rule,
            "childResources": resources,
            "generateSelector": True,
            **spec,
        }
        self._apply("CompositeController", hooks, asked)

    def service(self, **metadata: object) -> Object:
        """Create the Service that is the scene's parent."""
        spec = {"ports": [{"port": 80, "protocol": "TCP"}], "selector": {"app": "web"}}
        return self.services.create({**self._header("v1", "Service", metadata), "spec": spec})

    def widget(self, **metadata: object) -> Object:
        """Create the Widget that is the scene's parent."""
        return self.widgets.create({**self._header(GROUP, "Widget", metadata), "spec": {"size": 1}})

    def part(self, **fields: object) -> Object:
        """Return a Part as a hook wants it, named as the scene's parent."""
        return {"apiVersion": GROUP, "kind": "Part", "metadata": {"name": self.name}, **fields}

    def events(self, reason: str, about: str = "") -> Objects:
        """Return the Events about the parent, or about another object, that have a reason."""
        return [
            event
            for event in self.api.resource("v1", "events").list()
            if event["involvedObject"]["name"] == (about or self.name) and event["reason"] == reason
        ]

    def failure(self) -> str:
        """Wait until the sync of the parent has failed, and return what was said."""

        def said() -> str:
            return " | ".join(str(event["message"]) for event in self.events("SyncError"))

        return polling.until(said, "an Event SyncError")

    def settled(self) -> None:
        """Wait until everything that happened to Services so far has been called about."""
        for _ in range(2):
            number = next(_FENCES)
            other = self._header("v1", "Service", {"name": f"{self.name}-fence-{number}"})
            self.services.create({**other, "spec": {"ports": [{"port": 80}]}})
            name = other["metadata"]["name"]
            polling.until(partial(self.calls, "sync", name), f"{name} is called about")

    def until(self, probe: Callable[[], bool], what: str) -> None:
        """Wait until something is so."""
        polling.until(probe, what)

    def _apply(self, kind: str, hooks: Iterable[str], spec: Object) -> None:
        spec = dict(spec)
        extra = spec.pop("webhook", {})
        webhooks = {
            hook: {"url": f"http://hooks.example.com/{self.name}/{hook}", **extra} for hook in hooks
        }
        controller = {
            "apiVersion": manifests.API_VERSION,
            "kind": kind,
            "metadata": {"name": self.name},
            "spec": {
                **spec,
                "hooks": {
                    hook: {"version": "v2", "webhook": webhook}
                    for hook, webhook in webhooks.items()
                },
            },
        }
        aim = Hooks(self.hooks.url, self.token)
        self.stack.enter_context(manifests.applied(self.api, [controller], aim))

    def writes(self, plane: ControlPlane, plural: str) -> list[str]:
        """Return what Metacontroller has written of this scene's object, in order.

        Conflicts are left out: a sync that is faster than the watch brings one now and then.
        """
        return [
            "/".join(filter(None, [entry["verb"], entry["objectRef"].get("subresource")]))
            for entry in plane.audited()
            if entry["objectRef"].get("name") == self.name
            and entry["objectRef"]["resource"] == plural
            and entry["userAgent"].startswith("metacontroller")
            and entry["responseStatus"]["code"] < 300
        ]

    def _selector(self) -> Object:
        return {"matchLabels": {LABEL: self.name}}

    def _header(self, api_version: str, kind: str, metadata: Object) -> Object:
        labels = {LABEL: self.name}
        named = {"name": self.name, "namespace": "default", "labels": labels, **metadata}
        return {"apiVersion": api_version, "kind": kind, "metadata": named}


def _parent(call: Call) -> Object:
    parent: Object = call.request.get("object") or call.request["parent"]
    return parent


def _resource(plural: str) -> Object:
    return {"apiVersion": "v1" if plural in {"services", "nodes"} else GROUP, "resource": plural}


def _child(plural: str, method: str) -> Object:
    strategy = {"updateStrategy": {"method": method}} if method else {}
    return {**_resource(plural), **strategy}


def annotated(request: Object) -> bool:
    """Tell whether a decorator was called for an object that has the note."""
    return NOTE in request["object"]["metadata"].get("annotations", {})
