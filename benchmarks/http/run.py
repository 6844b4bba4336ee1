#!/usr/bin/env python3
"""Compares http::Client with h2load, wrk and a bare nghttp2 client.

All talk to the same server (meshlib_http_server), one after the other and in
turns, so that what else the machine does hits each alike. Prints medians and
ratios, and the memory of 10,000 idle connections. Every sample, with the load
of the machine before it, goes to a file of its own for each run: --out, or
http-DATE.json in the build folder.

    benchmarks/http/run.py --build build [--rounds 5] [--seconds 3] [--out F]
                           [--only TEXT]

Needs the targets http_load, h2_ping, idle_connections and meshlib_http_server,
and h2load and wrk (packages nghttp2-client and wrk).
"""

import argparse
import json
import os
import re
import resource
import statistics
import subprocess
import sys
import tempfile
import time

IDLE = 10000

CONFIG = """\
static_resources:
  listeners:
  - name: l
    address: {{socket_address: {{address: 0.0.0.0, port_value: 80}}}}
    filter_chains:
    - filters:
      - name: envoy.filters.network.http_connection_manager
        typed_config:
          '@type': type.googleapis.com/envoy.extensions.filters.network.\
http_connection_manager.v3.HttpConnectionManager
          stat_prefix: x
          http_filters:
          - name: envoy.filters.http.router
            typed_config:
              '@type': type.googleapis.com/envoy.extensions.filters.http.\
router.v3.Router
          route_config:
            name: r
            virtual_hosts:
            - name: v
              domains: [echo]
              routes:
              - match: {{prefix: /}}
                route:
                  cluster: c
                  timeout: 5s
                  retry_policy:
                    retry_on: connect-failure,refused-stream,unavailable,\
cancelled,retriable-status-codes
                    retriable_status_codes: [503]
                    num_retries: 2
  clusters:
  - name: c
    type: STATIC
    connect_timeout: 1s
    outlier_detection: {{}}
    circuit_breakers: {{thresholds: [{{max_connections: 100000, \
max_pending_requests: 100000, max_requests: 100000}}]}}
    {socket}
    typed_extension_protocol_options:
      envoy.extensions.upstreams.http.v3.HttpProtocolOptions:
        '@type': type.googleapis.com/envoy.extensions.upstreams.http.v3.\
HttpProtocolOptions
        explicit_http_config: {{{protocol}: {{}}}}
    load_assignment:
      cluster_name: c
      endpoints:
      - lb_endpoints:
{endpoints}"""

ENDPOINT = """\
        - endpoint: {{address: {{socket_address: {{address: {host}, \
port_value: {port}}}}}}}
"""

TLS = """transport_socket:
      name: tls
      typed_config:
        '@type': type.googleapis.com/envoy.extensions.transport_sockets.tls.\
v3.UpstreamTlsContext
        sni: echo
        common_tls_context:
          tls_certificates:
          - certificate_chain: {{filename: {folder}/client.pem}}
            private_key: {{filename: {folder}/client.key}}
          validation_context: {{trusted_ca: {{filename: {folder}/ca.pem}}}}"""

# All of them lead to this machine.
HOSTS = ["127.1.%d.%d" % (i // 250, i % 250 + 1) for i in range(IDLE)]


def make_certificates(folder):
    def openssl(*args):
        subprocess.run(("openssl",) + args, check=True, cwd=folder,
                       capture_output=True)
    openssl("req", "-x509", "-newkey", "ec", "-pkeyopt",
            "ec_paramgen_curve:P-256", "-nodes", "-keyout", "ca.key", "-out",
            "ca.pem", "-subj", "/CN=benchmark", "-days", "2")
    for name in ("server", "client"):
        openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
                "-nodes", "-keyout", f"{name}.key", "-out", f"{name}.csr",
                "-subj", f"/CN={name}")
        with open(os.path.join(folder, "ext"), "w", encoding="utf-8") as f:
            f.write("subjectAltName=DNS:echo\n")
        openssl("x509", "-req", "-in", f"{name}.csr", "-CA", "ca.pem", "-CAkey",
                "ca.key", "-CAcreateserial", "-out", f"{name}.pem", "-days",
                "2", "-extfile", "ext")


class Server:
    def __init__(self, build, *args):
        self.process = subprocess.Popen(
            [f"{build}/test/net/meshlib_http_server", *args],
            stdout=subprocess.PIPE, text=True)
        self.port = self.process.stdout.readline().strip().rsplit(":", 1)[1]

    def stop(self):
        self.process.kill()
        self.process.wait()


class Bench:
    def __init__(self, args, folder):
        self.args, self.folder = args, folder

    def write(self, name, port, protocol, tls=False, hosts=("127.0.0.1",)):
        path = os.path.join(self.folder, name + ".yaml")
        socket = TLS.format(folder=self.folder) if tls else ""
        with open(path, "w", encoding="utf-8") as f:
            f.write(CONFIG.format(
                protocol=protocol, socket=socket,
                endpoints="".join(ENDPOINT.format(host=host, port=port)
                                  for host in hosts)))
        return path

    def ours(self, config, mode, parallel):
        out = subprocess.run(
            [f"{self.args.build}/benchmarks/http/http_load", config,
             "http://echo/", mode, str(parallel), str(self.args.seconds)],
            check=True, capture_output=True, text=True).stdout
        result = json.loads(out)
        if result["failed"]:
            sys.exit(f"{result['failed']} calls failed")
        return result

    def ping(self, port):
        out = subprocess.run(
            [f"{self.args.build}/benchmarks/http/h2_ping", port,
             str(self.args.seconds)],
            check=True, capture_output=True, text=True).stdout
        return json.loads(out)

    def idle(self, config):
        out = subprocess.run(
            [f"{self.args.build}/benchmarks/http/idle_connections", config,
             "http://echo/", str(IDLE)],
            check=True, capture_output=True, text=True).stdout
        return json.loads(out)

    def h2load(self, port, streams, scheme="http"):
        out = subprocess.run(
            ["h2load", "-D", str(self.args.seconds), "-m", str(streams), "-c",
             "1", "-t", "1", f"{scheme}://127.0.0.1:{port}/"],
            check=True, capture_output=True, text=True).stdout
        return {"rate": float(re.search(r"([\d.]+) req/s", out).group(1))}

    def wrk(self, port, connections):
        out = subprocess.run(
            ["wrk", "-t", "1", "-c", str(connections), "-d",
             f"{self.args.seconds}s", f"http://127.0.0.1:{port}/"],
            check=True, capture_output=True, text=True).stdout
        return {"rate": float(re.search(r"Requests/sec: *([\d.]+)",
                                        out).group(1))}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--build", default="build")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=3)
    parser.add_argument("--out")
    parser.add_argument("--only", default="", help="part of the cases' names")
    args = parser.parse_args()
    out = args.out or os.path.join(
        args.build, time.strftime("http-%Y%m%d-%H%M%S.json"))
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    with tempfile.TemporaryDirectory() as folder:
        make_certificates(folder)
        bench = Bench(args, folder)
        plain = Server(args.build, "--body=1024")
        tls = Server(args.build, "--body=1024", f"--cert={folder}/server.pem",
                     f"--key={folder}/server.key",
                     f"--client-ca={folder}/ca.pem")
        # h2load has no certificate to show.
        open_tls = Server(args.build, "--body=1024",
                          f"--cert={folder}/server.pem",
                          f"--key={folder}/server.key")
        anywhere = Server(args.build, "--host=0.0.0.0")
        h1 = bench.write("h1", plain.port, "http_protocol_options")
        h2 = bench.write("h2", plain.port, "http2_protocol_options")
        h2_tls = bench.write("h2_tls", tls.port, "http2_protocol_options", True)
        idle1 = bench.write("idle1", anywhere.port, "http_protocol_options",
                            hosts=HOSTS)
        idle2 = bench.write("idle2", anywhere.port, "http2_protocol_options",
                            hosts=HOSTS)
        cases = {
            "h2load, 64 streams": lambda: bench.h2load(plain.port, 64),
            "HTTP/2, 64 at a time": lambda: bench.ours(h2, "callback", 64),
            "HTTP/2 mTLS, 64 at a time":
                lambda: bench.ours(h2_tls, "callback", 64),
            "h2load TLS, 64 streams":
                lambda: bench.h2load(open_tls.port, 64, "https"),
            "nghttp2, one blocking": lambda: bench.ping(plain.port),
            "HTTP/2, one blocking": lambda: bench.ours(h2, "blocking", 1),
            "HTTP/2, two blocking": lambda: bench.ours(h2, "blocking", 2),
            "wrk, 16 connections": lambda: bench.wrk(plain.port, 16),
            "HTTP/1.1, 16 at a time": lambda: bench.ours(h1, "callback", 16),
            "HTTP/1.1, one blocking": lambda: bench.ours(h1, "blocking", 1),
            "HTTP/1.1, idle": lambda: bench.idle(idle1),
            "HTTP/2, idle": lambda: bench.idle(idle2),
        }
        samples = {name: [] for name in cases if args.only in name}
        try:
            for i in range(args.rounds):
                for name in samples:
                    if "idle" in name and i > 0:
                        continue  # hardly varies, and takes long
                    load = os.getloadavg()[0]
                    samples[name].append({"load": load, **cases[name]()})
        finally:
            for server in (plain, tls, open_tls, anywhere):
                server.stop()
            with open(out, "w", encoding="utf-8") as f:
                json.dump(samples, f, indent=1)
    report(samples)
    print(f"\nsamples: {out}")


def report(samples):
    def median(name, field):
        values = [s[field] for s in samples.get(name, ()) if field in s]
        return statistics.median(values) if values else None
    fields = ("rate", "p50_us", "p99_us", "cpu_us", "idle_mb")
    print(f"{'':28}{'rate/s':>10}{'p50 us':>9}{'p99 us':>9}{'cpu us':>9}"
          f"{'idle MB':>9}")
    for name in samples:
        cells = [median(name, field) for field in fields]
        print(f"{name:28}" + "".join(
            f"{'' if c is None else round(c, 1):>{w}}"
            for c, w in zip(cells, (10, 9, 9, 9, 9))))
    ratios = (
        ("HTTP/2 rate to h2load's", "HTTP/2, 64 at a time",
         "h2load, 64 streams", "rate"),
        ("HTTP/1.1 rate to wrk's", "HTTP/1.1, 16 at a time",
         "wrk, 16 connections", "rate"),
        ("mTLS rate to plaintext's", "HTTP/2 mTLS, 64 at a time",
         "HTTP/2, 64 at a time", "rate"),
        ("h2load's TLS rate to plaintext's", "h2load TLS, 64 streams",
         "h2load, 64 streams", "rate"),
        ("blocking p50 to bare nghttp2's", "HTTP/2, one blocking",
         "nghttp2, one blocking", "p50_us"),
    )
    print()
    for text, ours, theirs, field in ratios:
        ratio = (median(ours, field), median(theirs, field))
        if None not in ratio:
            print(f"{text:34}{ratio[0] / ratio[1]:.2f}")


if __name__ == "__main__":
    main()
