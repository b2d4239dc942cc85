"""Runs the stand-in: `python -m tests.controlplane.standin --kubeconfig FILE`."""

import argparse
import base64
import logging
import os
import re
import signal
import sys
import tempfile
import threading
import traceback
from pathlib import Path

import requests
import yaml

from tests.controlplane.api import Api, ApiError
from tests.controlplane.standin import spec
from tests.controlplane.standin.controller import Surroundings
from tests.controlplane.standin.controllers import PLURALS, Controllers
from tests.controlplane.standin.discovery import Discovery, UnknownKindError
from tests.controlplane.standin.events import Events
from tests.controlplane.standin.informer import Informers

LOG = logging.getLogger(__name__)


def main() -> None:
    """Run until SIGTERM or SIGINT."""
    options = _options()
    logging.basicConfig(format="%(asctime)s %(name)s %(message)s", level=logging.INFO)
    threading.excepthook = _die
    ended = threading.Event()
    for sign in (signal.SIGTERM, signal.SIGINT):
        signal.signal(sign, lambda *_: ended.set())
    with tempfile.TemporaryDirectory() as folder:
        api = _api(options.kubeconfig, Path(folder))
        discovery = Discovery(api)
        hooks = requests.Session()
        hooks.trust_env = False
        hooks.mount("http://", requests.adapters.HTTPAdapter(pool_maxsize=64))
        around = Surroundings(
            api=api,
            discovery=discovery,
            informers=Informers(discovery),
            events=Events(api),
            hooks=hooks,
            workers=options.workers,
            selector=options.target_label_selector,
        )
        started = False
        while not ended.is_set():
            started = _look(discovery) and (started or _start(around))
            ended.wait(options.discovery_interval if started else 0.2)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.controlplane.standin")
    parser.add_argument("--kubeconfig", type=Path, required=True)
    parser.add_argument("--discovery-interval", type=float, default=30.0, metavar="SECONDS")
    parser.add_argument("--workers", type=int, default=5, help="for each controller")
    parser.add_argument(
        "--target-label-selector",
        type=_equalities,
        default={},
        metavar="KEY=VALUE,…",
        help="run only controllers with these labels",
    )
    return parser.parse_args()


def _equalities(text: str) -> dict[str, str]:
    """Read the only kind of label selector that the stand-in knows."""
    if not re.fullmatch(r"[\w./-]+=[\w.-]+(,[\w./-]+=[\w.-]+)*", text):
        raise argparse.ArgumentTypeError(f"{text!r} is not of the form key=value,key=value")
    return dict(part.split("=") for part in text.split(","))


def _api(kubeconfig: Path, folder: Path) -> Api:
    """Return the client for a kubeconfig that holds one cluster and a token, all inline."""
    config = yaml.safe_load(kubeconfig.read_text())
    cluster, user = config["clusters"][0]["cluster"], config["users"][0]["user"]
    ca = folder / "ca.crt"
    ca.write_bytes(base64.b64decode(cluster["certificate-authority-data"]))
    return Api(cluster["server"], token=user["token"], ca=ca, user_agent="metacontroller")


def _look(discovery: Discovery) -> bool:
    try:
        discovery.refresh()
    except (ApiError, requests.RequestException) as error:
        LOG.info("discovery: %s", error)
        return False
    return True


def _start(around: Surroundings) -> bool:
    try:
        for plural in PLURALS.values():
            around.discovery.resource(spec.API_VERSION, plural)
    except UnknownKindError as error:
        LOG.info("waiting for Metacontroller's CRDs: %s", error)
        return False
    Controllers(around).start()
    return True


def _die(failure: threading.ExceptHookArgs) -> None:
    """End the process: a thread that is gone would be a controller that silently does nothing."""
    traceback.print_exception(failure.exc_type, failure.exc_value, failure.exc_traceback)
    sys.stderr.flush()
    os._exit(70)


main()
