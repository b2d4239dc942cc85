"""Calls a target within a round: bounds each call, and ends the round when the target is lost."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from itertools import chain

from hooks.http.bounded_json import Json
from hooks.http.deadline import Deadline
from hooks.http.texts import one_line
from hooks.kube.client import (
    APPLY_PATCH,
    METADATA_LIST,
    Conflict,
    Kube,
    KubeError,
    KubeRefused,
    KubeRequest,
    KubeUnreachable,
    NotFound,
    Pages,
)
from hooks.kube.kinds import (
    CRD_GROUP,
    CRD_KIND,
    NAMESPACE,
    GroupKind,
    Kind,
    parse_crd,
    parse_group_list,
    parse_resource_list,
    version_path,
)
from hooks.kube.objects import part
from hooks.names import ANNOTATION_CREATED_FOR, ANNOTATION_OWNER, FIELD_MANAGER
from hooks.targetclusters.sync.memory import ServedKinds
from hooks.targetclusters.sync.plan.decide import read_live, unusable_field
from hooks.targetclusters.sync.plan.inventory import ObjectKey
from hooks.targetclusters.sync.plan.model import LiveObject
from hooks.targetclusters.sync.plan.resolve import ResolvedObject

#: Seconds that one call to a target, or one page of a list, may take: more than its API server
#: waits for a webhook (10 s), so that the reason arrives.
CALL_SECONDS = 12.0
#: Seconds that one list may take, with all its pages.
LIST_SECONDS = 60.0
#: Seconds of a round that are kept back for its report.
MARGIN = 0.2
#: Calls in a row without a usable answer after which the round asks whether anything answers.
SILENT_CALLS = 3
#: Whole objects in the first page of a list, and the bytes that an answer may take: 1.6 MiB each.
PAGE = 5
MAX_ANSWER_BYTES = 8 * 1024 * 1024
#: Objects in one page of names.
NAMES_PAGE = "100"
_PAGES = Pages(CALL_SECONDS, MAX_ANSWER_BYTES // 4)
_CRDS = Kind(f"{CRD_GROUP}/v1", CRD_KIND, "customresourcedefinitions", namespaced=False)
_API_SERVICES = Kind("apiregistration.k8s.io/v1", "APIService", "apiservices", namespaced=False)
#: Characters of a target's message that are kept.
MAX_MESSAGE = 300
_CUT = "the round's time was over before a usable answer came"


class RoundEnded(Exception):
    """No more calls in this round; str() says why, and is empty if only the time is over."""


def describe_error(error: KubeError, *, confidential: bool) -> str:
    """Say why a call failed; about what has secrets, without the target's words."""
    text = error.text if isinstance(error, KubeRefused) else str(error)
    if confidential and (error.code or error.text):
        text = f"{error.without_text}; the message is left out because it may quote a secret"
    if len(text) > MAX_MESSAGE:  # a value that is refused comes first, and why at the end
        text = f"{text[: MAX_MESSAGE // 2]} … {text[-MAX_MESSAGE // 3 :]}"
    return one_line(text, MAX_MESSAGE)


def read_answer(what: str, obj: Json, wanted: ResolvedObject | None = None) -> LiveObject:
    """Read what matters of the answer to a call. Raises KubeError if that is not an object."""
    live = read_live(obj, wanted)
    if live is None:
        raise KubeError(f"{what}: the answer's {unusable_field(obj)} is no usable text")
    return live


@contextmanager
def _within_bounds(path: str) -> Iterator[None]:
    try:
        yield
    except ValueError as error:
        raise KubeError(f"GET {path}: the answer {error}") from None


class Target:
    """A target's API server as one round uses it.

    Every method raises RoundEnded if the round's time is over, the target has stopped answering or
    it rejects the credentials; else KubeError.

    Attributes:
        deadline: of the round.
        spent: seconds that the calls of the round took so far.
        pause: seconds for which the target asks to be left alone.
        warnings: what the target said of each object that the round applied, none of a secret.
        managed_namespaces: namespaces that the round applies as objects; `apply_new` creates none.
        served: the kinds that the target serves, as earlier rounds found them. A version that lacks
            a kind is asked once more in each round: a CRD may have added the kind.
    """

    def __init__(self, kube: Kube, served: ServedKinds, deadline: Deadline) -> None:
        self.deadline = deadline
        self.spent = 0.0
        self.pause = 0.0
        self.warnings: dict[ObjectKey, tuple[str, ...]] = {}
        self.managed_namespaces: frozenset[str] = frozenset()
        self.served = served
        self._kube = kube
        self._silent_calls, self._has_answered = 0, False
        self._asked: dict[str, KubeError | None] = {}
        self._versions: Mapping[str, Sequence[str]] | None = None
        self._defined: dict[GroupKind, bool] = {}

    def find_kind(self, api_version: str, kind: str) -> Kind | None:
        """Return how a kind is served; None if the target does not serve it."""
        kinds = self.served.get(api_version, {})
        if kind not in kinds and api_version not in self._asked:
            try:
                kinds = self.served[api_version] = self._ask(api_version)
                self._asked[api_version] = None
            except KubeError as error:
                self._asked[api_version] = error
        if kind not in kinds and (known := self._asked.get(api_version)):
            raise known
        return kinds.get(kind)

    def find_in_group(self, group: str, kind: str) -> Kind | None:
        """Return how a kind is served in any version of its group, the preferred one first."""
        versions = self._groups().get(group, ()) if group else ("v1",)
        return next(filter(None, (self.find_kind(version, kind) for version in versions)), None)

    def is_defined(self, group: str, kind: str) -> bool:
        """Tell whether a kind that is not served is defined, so its objects may still be there.

        A CustomResourceDefinition keeps its objects while no version of it is served, and so does
        the server of an APIService that does not answer.
        """
        if (group, kind) not in self._defined:
            self._defined[group, kind] = bool(group) and (
                any(
                    part(self.find(path) or {}, "spec", "names").get("kind") == kind
                    for path in self._find_named(_CRDS, group)
                )
                or any(
                    part(self.find(path) or {}, "spec", "service")
                    for path in self._find_named(_API_SERVICES, group)
                )
            )
        return self._defined[group, kind]

    def _find_named(self, kind: Kind, group: str) -> Iterator[str]:
        """Return the paths of what is named after a group, such as `widgets.example.org`."""
        try:
            with self._call(LIST_SECONDS) as deadline:
                params = {"limit": NAMES_PAGE}
                listed = self._kube.list(
                    kind.path(), deadline=deadline, accept=METADATA_LIST, params=params
                )
                named = [str(part(one, "metadata").get("name")) for one in listed]
        except NotFound:
            named = []
        return (kind.path(name=name) for name in named if name.partition(".")[2] == group)

    def find_in_crd(self, path: str, labels: str) -> str:
        """Name an object of a CustomResourceDefinition that labels select; empty for none.

        What another object owns goes with that, and does not count.
        """
        served = parse_crd(self.get(path))
        if not served:
            raise KubeError(f"{path}: no version is served, so its objects cannot be listed")
        kind = next(iter(served.values()))
        params = {"limit": NAMES_PAGE, "labelSelector": labels}
        with suppress(NotFound), self._call(LIST_SECONDS) as deadline:
            for one in self._kube.list(
                kind.path(), deadline=deadline, accept=METADATA_LIST, params=params
            ):
                metadata = part(one, "metadata")
                if not metadata.get("ownerReferences"):
                    where = "/".join(str(metadata.get(key) or "") for key in ("namespace", "name"))
                    return one_line(f"{kind.kind} {where.lstrip('/')}", MAX_MESSAGE)
        return ""

    def forget_kinds(self, api_version: str) -> None:
        """Ask again: what the target serves under this version has changed."""
        self.served.pop(api_version, None)
        self._asked.pop(api_version, None)
        self._versions = None
        self._defined.clear()

    def get(self, path: str) -> Json:
        """Read an object. Raises NotFound."""
        with self._call() as deadline:
            return self._kube.get(path, deadline=deadline)

    def find(self, path: str) -> Json | None:
        """Read an object; None if it does not exist."""
        try:
            return self.get(path)
        except NotFound:
            return None

    def find_live(self, path: str, wanted: ResolvedObject | None = None) -> LiveObject | None:
        """Read what matters of an object, compared with what is wanted; None if it is not there."""
        found = self.find(path)
        return None if found is None else read_answer(f"GET {path}", found, wanted)

    def list(self, path: str, *, labels: str, limit: int) -> Iterator[Json]:
        """Read a collection's objects by label. Raises KubeError if there are more than `limit`."""
        params = {"labelSelector": labels, "limit": str(PAGE)}
        with self._call(LIST_SECONDS) as deadline:
            items = self._kube.list(path, deadline=deadline, params=params, pages=_PAGES)
            for number, item in enumerate(items):
                if number >= limit:
                    raise KubeError(f"GET {path}: lists more than {limit} objects of ours")
                yield item

    def patch(self, path: str, body: Json) -> None:
        """Patch an object. Raises Conflict if its resourceVersion is not that of the body."""
        params = {"fieldManager": FIELD_MANAGER}
        with self._call() as deadline:
            self._kube.patch(path, body, deadline=deadline, params=params)

    def apply(self, wanted: ResolvedObject, body: Json, *, force: bool) -> LiveObject:
        """Apply a body server-side. Raises Conflict on a field of another manager unless forced."""
        said: list[str] = []
        applied = self._apply(wanted.path, body, force=force, warn=said.append)
        texts = () if wanted.entry.is_confidential else said
        self.warnings[wanted.key] = tuple(one_line(text, MAX_MESSAGE) for text in texts)
        return read_answer(f"PATCH {wanted.path}", applied, wanted)

    def dry_run(self, path: str, body: Json) -> Json:
        """Return what an object would be if a body were applied."""
        return self._apply(path, body, force=True, warn=lambda _: None, dryRun="All")

    def apply_new(self, wanted: ResolvedObject, body: Json) -> LiveObject:
        """Apply a body, and create its namespace if that is missing and not managed.

        Such a namespace is never deleted, since others may use it too, unless a source describes
        it later: it says who created it.
        """
        try:
            return self.apply(wanted, body, force=True)
        except NotFound:
            name = body["metadata"].get("namespace", "")
            namespace = NAMESPACE.path(name=name)
            if not name or name in self.managed_namespaces or self.find(namespace) is not None:
                raise
        owner = body["metadata"]["annotations"][ANNOTATION_OWNER].partition(":")[0]
        metadata = {"name": name, "annotations": {ANNOTATION_CREATED_FOR: owner}}
        new = {"apiVersion": "v1", "kind": NAMESPACE.kind, "metadata": metadata}
        with suppress(Conflict), self._call() as deadline:  # it may have been created meanwhile
            self._kube.create(NAMESPACE.path(), new, deadline=deadline)
        return self.apply(wanted, body, force=True)

    def _apply(
        self, path: str, body: Json, *, force: bool, warn: Callable[[str], object], **more: str
    ) -> Json:
        params = {"fieldManager": FIELD_MANAGER, "force": str(force).lower(), **more}
        params["fieldValidation"] = "Strict"
        with self._call() as deadline:
            return self._kube.call(
                KubeRequest("PATCH", path, deadline, params, body, APPLY_PATCH, warn=warn)
            )

    def delete(self, path: str, live: LiveObject) -> None:
        """Delete the very object that was read. Raises Conflict if it has changed."""
        options = {
            "preconditions": {"uid": live.uid, "resourceVersion": live.resource_version},
            "propagationPolicy": "Background",
        }
        with suppress(NotFound), self._call() as deadline:
            self._kube.delete(path, deadline=deadline, options=options)

    def _ask(self, api_version: str) -> Mapping[str, Kind]:
        group, slash, _ = api_version.partition("/")
        if slash and api_version not in self._groups().get(group, ()):
            return {}
        path = version_path(api_version)
        answer = self.find(path)
        if answer is None and not slash:
            raise KubeError(f"GET {path}: is not found, so this is no Kubernetes API server")
        with _within_bounds(path):
            return {} if answer is None else parse_resource_list(api_version, answer)

    def _groups(self) -> Mapping[str, Sequence[str]]:
        """Ask for all groups: the answer for a group that is not served is not JSON."""
        if self._versions is None:
            answer = self.get("/apis")
            with _within_bounds("/apis"):
                self._versions = parse_group_list(answer)
            gone = self.served.keys() - set(chain.from_iterable(self._versions.values()))
            for api_version in gone - {"v1"}:
                del self.served[api_version]
        return self._versions

    def check_time(self) -> None:
        """Raise RoundEnded if the round's time is over."""
        if self.deadline.passed(margin=MARGIN):
            raise RoundEnded

    @contextmanager
    def _call(self, seconds: float = CALL_SECONDS) -> Iterator[Deadline]:
        """Bound a call, and count those in a row that get no usable answer."""
        self.check_time()
        left = self.deadline.remaining()
        try:
            yield self.deadline.at_most(seconds)
        except KubeError as error:
            is_silent = isinstance(error, KubeUnreachable)
            self._silent_calls = self._silent_calls + 1 if is_silent else 0
            if is_silent and self.deadline.passed(margin=MARGIN):
                # A call that had little time says nothing of a target that answers others.
                is_slow = left < CALL_SECONDS and self._has_answered
                raise RoundEnded("" if is_slow else _CUT) from error
            if why := self._why_lost(error):
                raise RoundEnded(why) from error
            raise
        finally:
            self.spent += left - self.deadline.remaining()
        self._silent_calls, self._has_answered = 0, True

    def _why_lost(self, error: KubeError) -> str:
        """Return why no more calls make sense after an error of one; empty if they do.

        A webhook too may answer 401, or not at all, and one kind alone may be throttled. So
        `/version` is asked: only what the target says there is about the target. Its words may
        repeat what was sent before, and are left out.
        """
        is_401 = isinstance(error, KubeRefused) and error.code == 401
        if not is_401 and self._silent_calls < SILENT_CALLS:
            return ""
        self._silent_calls = 0
        try:
            self._kube.get("/version", deadline=self.deadline.at_most(CALL_SECONDS))
        except KubeError as lost:
            if lost.retry_after:
                self.pause = lost.retry_after
                return f"the target asks for a pause of {self.pause:g} s: {lost.without_text}"
            is_lost = lost.code == 401 or (isinstance(lost, KubeUnreachable) and not is_401)
            return f"GET /version: {lost.without_text}" if is_lost else ""
        return ""
