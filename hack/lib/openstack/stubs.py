"""Stands in for Neutron and Glance, which Nova asks even for servers without network or image: stubs.py ADDRESS PORT.

Both are pretended: whatever is listed is empty, and nothing can be made.
"""
import json
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

VERSIONS = {"versions": [{"id": "v2.0", "status": "CURRENT", "links": []}]}


class Empty(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        path = self.path.partition("?")[0].strip("/")
        collection = path.rpartition("/")[2].removesuffix(".json").replace("-", "_")
        answer = VERSIONS if path in ("", "v2.0") else {collection: []}
        body = json.dumps(answer).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


ThreadingHTTPServer((sys.argv[1], int(sys.argv[2])), Empty).serve_forever()
