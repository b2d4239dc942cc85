from pathlib import Path

import pytest

from hooks import names
from hooks.services.plan import status

GUIDE = (Path(__file__).parents[3] / "docs/guides/load-balancers.md").read_text()


def constants(prefix: str) -> list[str]:
    """List the values of the constants whose names begin so."""
    return [value for name, value in vars(names).items() if name.startswith(prefix)]


@pytest.mark.parametrize(
    "annotation",
    [one for one in constants("ANNOTATION_") if one.startswith(names.SERVICE_ANNOTATION_PREFIX)],
)
def test_the_guide_explains_every_annotation(annotation: str) -> None:
    assert f"`{annotation.removeprefix(names.SERVICE_ANNOTATION_PREFIX)}`" in GUIDE


@pytest.mark.parametrize(
    "name",
    [
        names.ANNOTATION_SOURCE_RANGES,
        names.SERVICE_FINALIZER,
        names.LOAD_BALANCER_CLASS,
        names.LOAD_BALANCER_READY,
        *(one for one in constants("EVENT_") if "LoadBalancer" in one),
        *(
            value
            for name, value in vars(status).items()
            if name.isupper() and isinstance(value, str)
        ),
    ],
)
def test_the_guide_explains_every_name_that_a_service_shows(name: str) -> None:
    assert f"`{name}`" in GUIDE
