import re
from pathlib import Path

from hooks.loadbalancers.plan import plan


def test_the_docstring_of_the_plan_names_every_module_beside_it() -> None:
    folder = Path(plan.__file__).parent
    others = {file.name for file in folder.glob("*.py")} - {"plan.py", "__init__.py"}
    assert set(re.findall(r"\w+\.py", plan.__doc__ or "")) == others
