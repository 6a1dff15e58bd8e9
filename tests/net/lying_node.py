"""A node that lies: a proxy in front of an honest one's RPC that alters what it answers."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from abci_app.client.errors import NodeRefused
from abci_app.client.rpc import Rpc

Alter = Callable[[Rpc, str, dict[str, Any], Any], Any]


@contextmanager
def lying_node(honest: Rpc, alter: Alter) -> Iterator[str]:
    """The URL of the proxy. alter: (honest node, method, params, its result) -> the result that is told; bytes are sent
    as they are."""
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            told: dict[str, Any] = {"jsonrpc": "2.0", "id": 1}
            body = b""
            try:
                found = honest.call(request["method"], **request["params"])
                told["result"] = alter(honest, request["method"], request["params"], found)
                body = told["result"] if isinstance(told["result"], bytes) else b""
            except NodeRefused as error:
                told["error"] = {"code": -32603, "message": "Internal error", "data": error.text}
            body = body or json.dumps(told).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:
            pass

    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=http.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{http.server_port}"
    finally:
        http.shutdown()
        thread.join()
        http.server_close()
