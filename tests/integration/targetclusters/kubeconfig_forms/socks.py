"""A SOCKS5 proxy on loopback (RFC 1928), without authentication."""

import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from socketserver import BaseRequestHandler, ThreadingTCPServer

from tests.controlplane.polling import PATIENCE
from tests.unit.http.proxies import Proxy, pump

_NO_AUTHENTICATION = b"\x05\x00"
_CONNECTED = b"\x05\x00\x00\x01" + bytes(6)
_NAME = 3


class _Server(ThreadingTCPServer):
    daemon_threads = True


@contextmanager
def socks(port: int) -> Iterator[Proxy]:
    """Serve until the block ends; every tunnel leads to a port of this machine."""
    proxy = Proxy(port=port)

    class Handler(BaseRequestHandler):
        def handle(self) -> None:
            client: socket.socket = self.request
            client.recv(client.recv(2)[1])  # the methods that it knows
            client.sendall(_NO_AUTHENTICATION)
            kind = client.recv(4)[3]
            address = client.recv(client.recv(1)[0] if kind == _NAME else 4)
            host = address.decode() if kind == _NAME else socket.inet_ntoa(address)
            [wanted] = struct.unpack("!H", client.recv(2))
            proxy.requests.append(f"CONNECT {host}:{wanted}")
            proxy.credentials.append("")
            client.sendall(_CONNECTED)
            with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as upstream:
                back = threading.Thread(target=pump, args=(upstream, client))
                back.start()
                pump(client, upstream)
                back.join()

    with _Server(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            proxy.url = f"socks5://127.0.0.1:{server.server_address[1]}"
            yield proxy
        finally:
            server.shutdown()
            thread.join()
