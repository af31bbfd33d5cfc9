#!/usr/bin/env python3
"""A registry for the tests: registry.py LAYOUT PORT

It serves the OCI layout on the loopback, each of its tags as the image my/TAG:1. What it
sends is what the files have, also if they were changed. A tag is one of each image, too.
"""

import http.server
import json
import os
import re
import sys

LAYOUT, PORT = sys.argv[1:3]


def manifest(name, reference):
    """The digest and type of what a client asks for."""
    with open(os.path.join(LAYOUT, "index.json")) as f:
        for m in json.load(f)["manifests"]:
            tag = m.get("annotations", {}).get("org.opencontainers.image.ref.name")
            if (tag, "1") == (name, reference) or reference in (tag, m["digest"]):
                return m["digest"], m["mediaType"]
    return "sha256:none", ""


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        kind = "application/octet-stream"
        if self.path == "/v2/":
            return self.answer(200, "application/json", b"{}")
        asked = re.fullmatch(r"/v2/my/([a-z]+)/(manifests|blobs)/([a-z0-9:.-]+)", self.path)
        if asked is None:
            return self.answer(404, kind, b"")
        digest = asked[3]
        if asked[2] == "manifests":
            digest, kind = manifest(asked[1], asked[3])
        try:
            with open(os.path.join(LAYOUT, "blobs", *digest.split(":")), "rb") as f:
                return self.answer(200, kind, f.read())
        except OSError:
            return self.answer(404, kind, b"")

    do_HEAD = do_GET

    def answer(self, status, kind, data):
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(data)

    def log_request(self, *args):
        print(self.requestline, flush=True)

    def log_message(self, *args):
        """A client first tries TLS, which is no request."""


http.server.ThreadingHTTPServer(("127.0.0.1", int(PORT)), Handler).serve_forever()
