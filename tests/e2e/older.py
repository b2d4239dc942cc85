"""An API server as it was before Kubernetes 1.30: it drops the field `ipMode`."""

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import requests

from tests.controlplane.cluster import Cluster
from tests.controlplane.kubeconfig import kubeconfig, write_private

#: As Go writes it: after the field `ip`.
_IP_MODE = re.compile(rb',"ipMode":"[A-Za-z]+"')
#: What only concerns one of the two connections.
_HOPS = frozenset({"connection", "content-length", "host", "transfer-encoding", "accept-encoding"})


@contextmanager
def older(cluster: Cluster, folder: Path) -> Iterator[Path]:
    """Stand before a cluster's API server; give the kubeconfig of what stands there.

    Clients send no token over plain HTTP, so this sends the administrator's.
    """
    own = {"Accept-Encoding": "identity", "Authorization": f"Bearer {cluster.token}"}

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _forward(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            kept = {k: v for k, v in self.headers.items() if k.lower() not in _HOPS}
            with requests.request(
                self.command,
                f"{cluster.url}{self.path}",
                data=_IP_MODE.sub(b"", self.rfile.read(length)),
                headers={**kept, **own},
                verify=str(cluster.ca),
                stream=True,
                timeout=(5, None),
            ) as answer:
                self.send_response(answer.status_code)
                for name, value in answer.headers.items():
                    if name.lower() not in _HOPS:
                        self.send_header(name, value)
                self.send_header("Transfer-Encoding", "chunked")
                self.end_headers()
                self._chunks(answer)

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _forward  # noqa: N815 - its names

        def _chunks(self, answer: requests.Response) -> None:
            """Pass on line by line: each event of a watch is one."""
            for line in answer.iter_lines(chunk_size=None):
                text = _IP_MODE.sub(b"", line) + b"\n"
                self.wfile.write(f"{len(text):x}\r\n".encode() + text + b"\r\n")
            self.wfile.write(b"0\r\n\r\n")

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    path = folder / "older.kubeconfig"
    url = f"http://127.0.0.1:{server.server_port}"
    write_private(path, kubeconfig(url, cluster.ca, cluster.token))
    try:
        yield path
    finally:
        server.shutdown()
        server.server_close()
