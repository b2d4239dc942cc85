"""Stands in for CloudMonkey (`cmk`), as far as the pages use it: lists, printed as JSON.

Run as `python -m tests.documented.cmk URL API_KEY SECRET_KEY -o json list NOUN NAME=VALUE...`.
"""

import json
import sys

from tests.contract.cloud import Cloud, Credentials

#: The API's commands by verb and noun; the real one reads them from the server.
COMMANDS = {("list", "publicipaddresses"): "listPublicIpAddresses"}


def main(url: str, api_key: str, secret_key: str, *words: str) -> None:
    """Call a command, and print what is in the answer's envelope. Raises SystemExit."""
    if words[:2] != ("-o", "json"):
        raise SystemExit("only -o json is known")
    command = COMMANDS[words[2], words[3]]
    params = dict(word.split("=", 1) for word in words[4:])
    cloud = Cloud(url, Credentials(api_key, secret_key), 0.01)
    try:
        sys.stdout.write(json.dumps(cloud.ok(command, **params)))
    finally:
        cloud.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
