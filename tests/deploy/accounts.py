"""Service accounts that have one role each, and whether their roles are what they use."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from tests.controlplane import ControlPlane, metacontroller
from tests.controlplane.api import Object
from tests.deploy.conftest import AUDITED, EVIDENCE, username
from tests.deploy.evidence import Verb, granted, refused, used
from tests.deploy.rendering import Rendered

LEASES = "coordination.k8s.io"
METACONTROLLER = "metacontroller.k8s.io"

#: What only the real Metacontroller does.
NOT_BY_THE_STAND_IN = {
    Verb("", "namespaces", "watch"): "knows no customize hooks that select by namespace",
    Verb(METACONTROLLER, "controllerrevisions", "watch"): "knows no rolling updates",
    Verb("apiextensions.k8s.io", "customresourcedefinitions", "watch"): "finds kinds by discovery",
    Verb(LEASES, "leases", "create"): "elects no leader",
    Verb(LEASES, "leases", "get"): "the same",
    Verb(LEASES, "leases", "update"): "the same",
}
#: A role by kind, namespace and name.
RoleName = tuple[str, str, str]


@dataclass(frozen=True)
class Roles:
    """Which roles of an operator's manifests are whose: of the hooks, or of Metacontroller.

    In a pod the two share a service account that has all; for the audit log each has its own.

    Attributes:
        of: the roles of each.
        unseen: what is granted and no request of the tests shows, and why.
    """

    rendered: Rendered
    of: Mapping[str, Sequence[RoleName]]
    unseen: Mapping[Verb, str] = field(default_factory=dict)

    def bind(self, cluster: ControlPlane) -> None:
        """Give each an account of its own, with its own roles alone."""
        cluster.kubectl("create", "namespace", EVIDENCE)
        for who in AUDITED:
            cluster.kubectl("-n", EVIDENCE, "create", "serviceaccount", who)
            account = f"--serviceaccount={EVIDENCE}:{who}"
            for kind, namespace, name in self.of[who]:
                place = ["-n", namespace] if namespace else []
                bound = f"{kind.lower()}binding"
                role = f"--{kind.lower()}={name}"
                cluster.kubectl(*place, "create", bound, f"{who}-{name}", role, account)

    def missing(self, entries: Iterable[Object], who: str) -> set[Verb]:
        """Return what one asked for and was refused."""
        return refused(entries, username(who))

    def unused(self, entries: Iterable[Object], who: str) -> list[str]:
        """Return what one was granted and nothing shows that it needs.

        What is watched is listed by the watch itself, and by a list where the API server is older.
        """
        roles = [self.rendered.one(kind, name) for kind, _, name in self.of[who]]
        explained = used(entries, username(who)) | set(self.unseen)
        if not metacontroller.real():
            explained |= NOT_BY_THE_STAND_IN.keys()
        explained |= {replace(verb, verb="list") for verb in explained if verb.verb == "watch"}
        return sorted(map(str, granted(roles) - explained))

    def names(self) -> set[RoleName]:
        """Return all roles."""
        return {role for roles in self.of.values() for role in roles}


def bound(rendered: Rendered) -> set[tuple[RoleName, str, str]]:
    """Return each role that a binding names, with the account that it is bound to."""
    found = set()
    for binding in rendered.of("RoleBinding", "ClusterRoleBinding"):
        [subject] = binding["subjects"]
        role = binding["roleRef"]
        namespace = binding["metadata"].get("namespace", "") if role["kind"] == "Role" else ""
        account = (subject["namespace"], subject["name"])
        found.add(((role["kind"], namespace, role["name"]), *account))
    return found


def wildcards(rendered: Rendered) -> list[Object]:
    """Return the rules that grant more than they name."""
    return [
        rule
        for role in rendered.of("Role", "ClusterRole")
        for rule in role["rules"]
        if "*" in [*rule["apiGroups"], *rule["resources"], *rule["verbs"]]
    ]
