"""The status page: `/` for people, `/status.json` for programs, `/troubleshooting` behind links.

A GET reads what there is (`collect`), decides what is wrong (`trouble`) and writes it (`page`). The
hook answers no calls of Metacontroller and writes nothing.
"""

from hooks.http.bounded_json import Json
from hooks.http.deadline import Deadline
from hooks.kube.client import KubeUnreachable
from hooks.status.collect import Collector
from hooks.status.guide import read_guide
from hooks.status.page import content, html_page, json_page
from hooks.webhook.hook import Dependencies, Handler, Hook, Page


class StatusHook(Hook):
    """Serves the pages."""

    def __init__(self, dependencies: Dependencies) -> None:
        self._clock = dependencies.clock
        self._collector = Collector(
            dependencies.kube,
            dependencies.config,
            clock=dependencies.clock,
            monotonic=dependencies.monotonic,
        )
        self._guide = read_guide()

    @property
    def routes(self) -> dict[str, Handler]:
        """Return nothing: nobody posts."""
        return {}

    @property
    def pages(self) -> dict[str, Page]:
        """Map the paths to the methods that make the pages."""
        return {
            "/": lambda deadline: html_page("status.html", said=self._content(deadline)),
            "/status.json": lambda deadline: json_page(self._content(deadline)),
            "/troubleshooting": lambda _: html_page("guide.html", guide=self._guide.html),
        }

    def _content(self, deadline: Deadline) -> Json:
        """Return what the page says. Raises KubeUnreachable before anything was read."""
        snapshot = self._collector.snapshot(deadline)
        if not snapshot.read_at:
            raise KubeUnreachable("the first look at the objects is under way; try again")
        return content(snapshot, self._guide, self._clock())
