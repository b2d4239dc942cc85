"""Processor time of one look at a load balancer with many ports and source ranges that is right."""

import gc
import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

from hooks.loadbalancers.plan.plan import plan
from tests.controlplane import ControlPlane
from tests.unit.loadbalancers.builders import right_facts

#: Ports and source ranges.
SIZES = ((16, 16), (32, 32), (64, 64), (128, 128), (256, 256), (256, 64), (64, 256))
#: The best of so many looks counts.
LOOKS = 3

HEAD = """\
| ports | source ranges | seconds of the processor | microseconds a port and range |
|---|---|---|---|"""


def bench_source_ranges(plane: ControlPlane, folder: Path) -> Iterator[str]:
    """Measure each size, line by line of a table; then how the seconds grow."""
    del plane, folder
    yield HEAD
    seconds = {}
    for ports, ranges in SIZES:
        seconds[ports, ranges] = look = min(_look(ports, ranges, nth) for nth in range(LOOKS))
        yield f"| {ports} | {ranges} | {look:.4f} | {look / (ports + ranges) * 1e6:.1f} |"
    yield ""
    square = [(ports, seconds[ports, ranges]) for ports, ranges in SIZES if ports == ranges]
    for (less, before), (more, after) in pairwise(square):
        yield f"{less} x {less} -> {more} x {more}: {after / before:.1f} times the seconds"


def _look(ports: int, ranges: int, nth: int) -> float:
    facts = right_facts(ports, ranges, nth)
    gc.collect()
    began = time.process_time()
    planned = plan(facts)
    took = time.process_time() - began
    if planned.actions:
        raise RuntimeError(f"it is not right: {planned.actions[0]}")
    return took
