import pytest

from hooks.targetclusters.sync.memory import FIRST_RETRY, LONGEST_RETRY, SyncMemory
from tests.unit.targetclusters.sync.objects import make_entry

KEY = make_entry("a").key


@pytest.mark.parametrize(
    ("failures", "delay"),
    [
        pytest.param(1, FIRST_RETRY, id="first"),
        pytest.param(2, 2 * FIRST_RETRY, id="second"),
        pytest.param(4, 8 * FIRST_RETRY, id="fourth"),
        pytest.param(50, LONGEST_RETRY, id="many"),
    ],
)
def test_the_delay_doubles_with_each_failure_up_to_a_bound(failures: int, delay: float) -> None:
    memory = SyncMemory()
    for _ in range(failures):
        memory.note_failure(KEY, "digest", "refused", now=100.0)
    assert memory.next_retry(now=100.0) == delay
    assert memory.pending_retry(KEY, "digest", now=100.0 + delay - 1) is not None
    assert memory.pending_retry(KEY, "digest", now=100.0 + delay) is None


def test_an_object_that_its_source_changed_is_tried_at_once() -> None:
    memory = SyncMemory()
    for _ in range(5):
        memory.note_failure(KEY, "old", "refused", now=0.0)
    assert memory.pending_retry(KEY, "new", now=0.0) is None
    memory.note_failure(KEY, "new", "refused", now=0.0)
    assert memory.next_retry(now=0.0) == FIRST_RETRY


def test_what_is_due_and_was_not_tried_is_not_waited_for() -> None:
    memory = SyncMemory()
    memory.note_failure(KEY, "digest", "refused", now=0.0)
    assert memory.next_retry(now=FIRST_RETRY) is None


def test_objects_that_nobody_wants_are_forgotten() -> None:
    memory = SyncMemory()
    memory.note_failure(KEY, "digest", "refused", now=0.0)
    memory.conflicts.add(KEY)
    memory.overtaken[KEY] += 1
    memory.keep_only(set(), set())
    assert memory == SyncMemory()
    assert memory.next_retry(now=0.0) is None
