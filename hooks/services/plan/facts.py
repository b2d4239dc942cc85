"""The facts that a plan of a Service is made from: request, settings, and who fights over it."""

from dataclasses import dataclass

from hooks.http.bounded_json import Json
from hooks.kube.objects import find_condition, is_deleting
from hooks.names import LOAD_BALANCER_READY
from hooks.services.plan.writers import Writer


@dataclass(frozen=True)
class Contest:
    """A fight with another controller over what a Service shows of ours.

    Attributes:
        writer: the other one.
        is_over_address: it is over the address; else over our condition.
        is_new: it is noticed just now.
    """

    writer: Writer
    is_over_address: bool
    is_new: bool = False


@dataclass(frozen=True)
class Facts:
    """What is known of a Service when a call begins.

    Attributes:
        service: the Service as Metacontroller sent it.
        load_balancer: its CloudStackLoadBalancer; empty where there is none.
        now: epoch seconds.
        default_class: whether Services without a class get a load balancer from us.
        former_cluster_name: the `--cluster-name` of the former provider; its fork writes it into
            the names of rules.
        default_network: the id of the network for Services that name none; empty to choose one.
        contest: the fight over what the Service shows; None if there is none.
    """

    service: Json
    load_balancer: Json
    now: float
    default_class: bool
    former_cluster_name: str
    default_network: str = ""
    contest: Contest | None = None

    @property
    def live_load_balancer(self) -> Json:
        """Return the load balancer; empty where that is being deleted: what it has ends with it."""
        return {} if is_deleting(self.load_balancer) else self.load_balancer

    @property
    def is_ours(self) -> bool:
        """Tell whether the Service has, or had, a load balancer from us."""
        return bool(self.load_balancer or self.own_condition)

    @property
    def own_condition(self) -> Json:
        """Return the Service's condition LoadBalancerReady; empty where it has none."""
        return find_condition(self.service, LOAD_BALANCER_READY)
