"""The first calls of a process may come at once: they must not crash it."""

import subprocess
import sys

#: Threads that use types for the first time, while the interpreter switches between them all the
#: time. It crashes within a few types if msgspec finds out about them in several threads.
SCRIPT = """
import sys, threading, types
from hooks.webhook.requests import convert

sys.setswitchinterval(1e-6)
SOURCE = "from hooks.webhook.requests import NonEmpty, View\\nimport msgspec\\n" + "".join(
    f"class S{n}(View, frozen=True):\\n"
    + "".join(f"    f{m}: NonEmpty = 'x'\\n" for m in range(8))
    + f"    inner: 'dict[str, S{n + 1}]' = msgspec.field(default_factory=dict)\\n" * (n < 29)
    for n in range(30)
)
for number in range(40):
    module = types.ModuleType(f"types{number}")
    sys.modules[module.__name__] = module
    exec(SOURCE, module.__dict__)
    start = threading.Barrier(8)

    def use(kind=module.S0):
        start.wait()
        for _ in range(20):
            convert({"f0": "a", "inner": {"a": {"f1": "b", "inner": {"k": {"f2": "c"}}}}}, kind)

    threads = [threading.Thread(target=use) for _ in range(8)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
"""


def test_requests_of_a_kind_may_first_come_in_several_threads() -> None:
    command = [sys.executable, "-X", "faulthandler", "-c", SCRIPT]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert (ended.returncode, ended.stderr) == (0, "")
