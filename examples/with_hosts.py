#!/usr/bin/env python3
"""Runs a program against hosts of its own.

    with_hosts.py MESH_YAML PROGRAM [ARGUMENT...]

The program runs in a folder where mesh.yaml is MESH_YAML with two ports
changed: at that of 8081 nobody listens, at that of 8082 a server says hello.
"""

import http.server
import pathlib
import socket
import subprocess
import sys
import tempfile
import threading


class Hello(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        body = f"hello from {self.path}".encode()
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


def main():
    mesh, program = sys.argv[1], sys.argv[2:]
    refusing = socket.socket()  # has a port, but does not listen
    refusing.bind(("127.0.0.1", 0))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Hello)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    text = pathlib.Path(mesh).read_text(encoding="utf-8")
    for port, sock in (("8081", refusing), ("8082", server.socket)):
        if text.count(port) != 1:
            sys.exit(f"{mesh} does not name port {port} once")
        text = text.replace(port, str(sock.getsockname()[1]))
    with tempfile.TemporaryDirectory() as folder:
        pathlib.Path(folder, "mesh.yaml").write_text(text, encoding="utf-8")
        return subprocess.run(program, cwd=folder, check=False,
                              timeout=50).returncode


sys.exit(main())
