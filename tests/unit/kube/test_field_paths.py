import pytest

from hooks.kube.field_paths import join_path


@pytest.mark.parametrize(
    ("field", "key", "path"),
    [
        pytest.param("", "spec", "spec", id="first"),
        pytest.param("spec", "ports", "spec.ports", id="plain"),
        pytest.param("labels", "a.b/c", 'labels["a.b/c"]', id="dot and slash"),
        pytest.param("labels", 'a."b', 'labels["a.\\"b"]', id="quote"),
    ],
)
def test_a_path_is_joined(field: str, key: str, path: str) -> None:
    assert join_path(field, key) == path
