"""What is known of a metric besides its value."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Definition:
    """One metric of ours as others see it; the reference page is made from these."""

    name: str
    type: Literal["counter", "gauge", "histogram"]
    labels: tuple[str, ...]
    sentence: str
