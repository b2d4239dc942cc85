"""`python -m simulator`: a CloudStack on this machine until Ctrl-C."""

import argparse
import re
import signal
import sys
import threading
from collections.abc import Sequence

from simulator.loading import WorldError, world_names
from simulator.server import Simulator
from simulator.world import NEWEST


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python -m simulator", description=__doc__)
    add = parser.add_argument
    worlds = ", ".join(world_names())
    add("--world", default="small", help=f"a world ({worlds}) or a .yaml file")
    add("--vms", type=count, help="how many VMs, in a world whose file has `generate`")
    add("--port", type=int, default=8090, help="0 takes a free one (default %(default)s)")
    add("--bind", default="127.0.0.1", help="the address to listen on (default %(default)s)")
    add(
        "--api-version",
        type=api_version,
        default=NEWEST,
        help="the CloudStack version to imitate (default %(default)s)",
    )
    add("--job-delay", type=seconds, default=0.05, help="seconds a job takes (default %(default)s)")
    add("--timing", choices=("off", "real"), default="off", help="real: as slow as a real server")
    return parser.parse_args(arguments)


def count(text: str) -> int:
    """Read a number of VMs."""
    if not text.isdigit():
        raise argparse.ArgumentTypeError(f"{text} is not a number of VMs")
    return int(text)


def seconds(text: str) -> float:
    """Read a number of seconds."""
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value < float("inf"):
        raise argparse.ArgumentTypeError(f"{text} is not a number of seconds")
    return value


def api_version(text: str) -> str:
    """Read the version of a CloudStack."""
    if not re.fullmatch(r"4\.\d+", text):
        raise argparse.ArgumentTypeError(f"{text!r} is not a version such as 4.22")
    return text


def main(arguments: Sequence[str] | None = None) -> int:
    """Run until a signal; return the exit code: 2 where the options cannot be used."""
    options = parse(arguments)
    try:
        simulator = Simulator(
            options.world,
            port=options.port,
            bind=options.bind,
            vms=options.vms,
            api_version=options.api_version,
            job_delay=options.job_delay,
            timing=options.timing,
        )
    except WorldError as error:
        print(f"simulator: {error}", file=sys.stderr)
        return 2
    except OSError as error:
        print(
            f"simulator: cannot listen on {options.bind}:{options.port}: {error.strerror}; "
            "choose another with --port",
            file=sys.stderr,
        )
        return 2
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    with simulator:
        user = simulator.user
        print(
            f"CloudStack simulator on {simulator.url} (world {simulator.world.name}, user "
            f"{user.name}): api-key {user.api_key} secret-key {user.secret_key}",
            flush=True,
        )
        stop.wait()
    return 0


if __name__ == "__main__":
    sys.exit(main())
