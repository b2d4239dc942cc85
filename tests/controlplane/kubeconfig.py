"""Writes the files by which clients and the API server know each other."""

import base64
import json
import secrets
from pathlib import Path

# An EC private key on P-256 as RFC 5915 frames it, around the 32 random bytes that it is; whoever
# reads it computes the public half.
_EC_BEFORE = bytes.fromhex("30310201010420")
_EC_AFTER = bytes.fromhex("a00a06082a8648ce3d030107")


def kubeconfig(url: str, ca: Path, token: str) -> str:
    """Return a kubeconfig with everything inline, as JSON, which is YAML too."""
    authority = base64.b64encode(ca.read_bytes()).decode()
    return json.dumps(
        {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [
                {
                    "name": "local",
                    "cluster": {"server": url, "certificate-authority-data": authority},
                }
            ],
            "users": [{"name": "local", "user": {"token": token}}],
            "contexts": [{"name": "local", "context": {"cluster": "local", "user": "local"}}],
            "current-context": "local",
        },
        indent=1,
    )


def write_private(path: Path, text: str) -> None:
    """Write a file that only its owner reads."""
    path.touch(mode=0o600)
    path.write_text(text)


def signing_key() -> str:
    """Return a new key for service-account tokens, as PEM."""
    while True:
        scalar = secrets.token_bytes(32)
        if not scalar.startswith(b"\xff\xff\xff\xff"):  # certainly below the group's order
            break
    body = base64.b64encode(_EC_BEFORE + scalar + _EC_AFTER).decode()
    lines = [body[i : i + 64] for i in range(0, len(body), 64)]
    return "\n".join(["-----BEGIN EC PRIVATE KEY-----", *lines, "-----END EC PRIVATE KEY-----", ""])
