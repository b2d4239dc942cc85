"""Which test runs the commands of which page; the tests take their pages from here."""

from pathlib import Path

from tests.documented.pages import DOCS, PROJECT, Block
from tests.documented.shell import commands

GUIDES = DOCS / "guides"
EXAMPLES = PROJECT / "examples"

#: From its first command on, on a cluster that has nothing: tests/deploy/test_guides.py.
FRESH = (PROJECT / "README.md", DOCS / "tutorials" / "first-address.md", GUIDES / "install.md")
#: Section by section, where the cloud controller is installed: the same.
INSTALLED = tuple(
    GUIDES / f"{name}.md"
    for name in (
        "cloudstack-kubernetes-service",
        "cluster-api",
        "configure",
        "crd-deleted",
        "pod-security",
        "rights",
        "troubleshooting",
        "uninstall",
        "upgrade",
    )
)
MOVE = GUIDES / "move.md"
#: On a cluster whose cloud controller runs: tests/deploy/test_documented.py.
SERVED = (
    *sorted([*EXAMPLES.glob("0[1-6]-*/README.md"), *EXAMPLES.glob("1[6-9]-*/README.md")]),
    MOVE,
)
#: Where the target-cluster-operator runs, with a cluster to look after: the same.
TARGETS = (
    GUIDES / "target-clusters.md",
    EXAMPLES / "10-cluster-watched" / "README.md",
    EXAMPLES / "11-config-maps-synced" / "README.md",
    EXAMPLES / "12-manifests-synced" / "README.md",
    EXAMPLES / "13-drift-reported" / "README.md",
)
#: Where the existing provider has been: tests/deploy/test_migration.py.
MIGRATION = GUIDES / "migrate.md"
#: By its sections, which are installations of their own: tests/deploy/test_chart_installed.py.
HELM = GUIDES / "helm.md"
#: The same, with two operators: tests/deploy/test_shards.py.
SHARDS = GUIDES / "shards.md"
#: On any API server: tests/deploy/test_ingress_examples.py.
INGRESS = tuple(sorted(EXAMPLES.glob("*-ingress-*/README.md")))
# Blocks of `make run` and `curl`, on any page: tests/integration/test_documented.py.

ON_A_CLUSTER = {
    **dict.fromkeys((*FRESH, *INSTALLED), "tests/deploy/test_guides.py"),
    **dict.fromkeys((*SERVED, *TARGETS), "tests/deploy/test_documented.py"),
    MIGRATION: "tests/deploy/test_migration.py",
    HELM: "tests/deploy/test_chart_installed.py",
    SHARDS: "tests/deploy/test_shards.py",
    **dict.fromkeys(INGRESS, "tests/deploy/test_ingress_examples.py"),
}


def on_this_machine(block: Block) -> bool:
    """Tell whether a block needs nothing but `make run`."""
    found = commands(block.code)
    return all(
        one.program == "curl" or (one.program, one.arguments) == ("make", ("run",)) for one in found
    )


def runner(block: Block) -> str:
    """Return the test that runs a block's commands; empty where none does."""
    if block.reason:
        return ""
    if on_this_machine(block):
        return "tests/integration/test_documented.py"
    return ON_A_CLUSTER.get(block.page, "")


def readers_own(page: Path) -> set[str]:
    """Return the files that a page asks its readers to have or to write."""
    text = page.read_text()
    named = {"cloud-config", "target.kubeconfig", "shop.kubeconfig", "manifests/"}
    return {file for file in named if file in text}
