"""Starts peers and runs checks; whatever was started ends with it."""

import os
import pathlib
import shutil
import socket
import subprocess
import sys
import time

SECONDS = 60  # for one check

MESH = """
static_resources:
  listeners:
  - name: outbound
    address: {{socket_address: {{address: 0.0.0.0, port_value: 80}}}}
    filter_chains:
    - filters:
      - name: envoy.filters.network.http_connection_manager
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.filters.network.\
http_connection_manager.v3.HttpConnectionManager
          stat_prefix: outbound
          http_filters:
          - name: envoy.filters.http.router
            typed_config:
              "@type": type.googleapis.com/envoy.extensions.filters.http.\
router.v3.Router
          route_config:
            name: routes
            virtual_hosts:
            - name: pacer
              domains: [pacer]
              routes: [{{match: {{prefix: /}}, route: {{cluster: pacer}}}}]
            - name: peer
              domains: ["*"]
              routes:
              - match: {{prefix: /}}
                route:
                  cluster: peer
                  retry_policy:
                    retry_on: "{retry_on}"
                    num_retries: 2
                    retriable_status_codes: [503]
                    retry_host_predicate:
                    - name: envoy.retry_host_predicates.previous_hosts
                      typed_config:
                        "@type": type.googleapis.com/envoy.extensions.retry.\
host.previous_hosts.v3.PreviousHostsPredicate
                    host_selection_retry_max_attempts: 5
  clusters:
"""
# Istio's default policy, and `reset`.
RETRY_ON = ("connect-failure,refused-stream,unavailable,cancelled,"
            "retriable-status-codes,reset")

CLUSTER = """
  - name: {name}
    type: STATIC
    connect_timeout: 5s
    circuit_breakers:
      thresholds:
      - {{max_requests: 10000, max_pending_requests: 10000, max_retries: 1024}}
    load_assignment:
      cluster_name: {name}
      endpoints:
      - lb_endpoints:
        - endpoint:
            address:
              socket_address: {{address: 127.0.0.1, port_value: {port}}}
    typed_extension_protocol_options:
      envoy.extensions.upstreams.http.v3.HttpProtocolOptions:
        "@type": type.googleapis.com/envoy.extensions.upstreams.http.v3.\
HttpProtocolOptions
        {protocol}
"""
PROTOCOLS = {
    "http1": "explicit_http_config: {http_protocol_options: "
             "{enable_trailers: true}}",
    "alpn": "auto_config: {http_protocol_options: {}, "
            "http2_protocol_options: {}}",
    "http2": "explicit_http_config: {http2_protocol_options: {}}",
}

UPSTREAM_TLS = """
    transport_socket:
      name: tls
      typed_config:
        "@type": type.googleapis.com/envoy.extensions.transport_sockets.tls.\
v3.UpstreamTlsContext
        sni: peer.test
        common_tls_context:
          tls_certificates:
          - certificate_chain: {{filename: {folder}/client.pem}}
            private_key: {{filename: {folder}/client.key}}
          validation_context:
            trusted_ca: {{filename: {folder}/root.pem}}
            match_typed_subject_alt_names:
            - {{san_type: DNS, matcher: {{exact: peer.test}}}}
"""


class Failure(Exception):
    pass


def skip(what, why):
    print(f"  {what}: skipped, {why}")


def port_of(address):
    return int(str(address).rsplit(":", 1)[-1])


def free_port():
    """For peers that cannot say which port the system gave them."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def cluster(name, address, protocol, tls_folder=None):
    text = CLUSTER.format(name=name, port=port_of(address),
                          protocol=PROTOCOLS[protocol])
    if tls_folder:
        text += UPSTREAM_TLS.format(folder=tls_folder)
    return text


class Harness:
    def __init__(self, options):
        self.build = options.build.resolve()
        self.work = options.work.resolve()
        self.go = options.go
        self.envoy = options.envoy
        self.h2spec = options.h2spec
        self.controlplane = options.controlplane
        self.interop = str(self.build / "test/interop/meshlib_interop")
        self.server = str(self.build / "test/net/meshlib_http_server")
        self.grpc = self.build / "test/interop/meshlib_grpc_peer"
        self.certificates = self.work / "certificates"
        self.passed = 0
        self.failed = []
        self._started = []

    def __enter__(self):
        self.certificates.mkdir(exist_ok=True)
        self.run([self.interop, "certificates", self.certificates])
        return self

    def __exit__(self, *_):
        for process in self._started:
            process.kill()
            process.wait()

    def tool(self, name):
        # nghttpd is a server to Debian: not on every user's path.
        found = shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin")
        if not found:
            raise Failure(f"there is no {name}; see scripts/setup.sh --ci")
        return found

    @property
    def last(self):
        """The process that was started last."""
        return self._started[-1]

    def start(self, command, lines=0, pipe=False, **more):
        """Starts a peer; gives the first lines that it prints.

        With `pipe` more of them can be read, as with lines.
        """
        command = [str(part) for part in command]
        name = pathlib.Path(command[0]).name
        with open(self.work / f"{name}.log", "ab") as log:
            process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stderr=log,
                stdout=subprocess.PIPE if lines or pipe else log, text=True,
                **more)
        self._started.append(process)
        given = [process.stdout.readline().strip() for _ in range(lines)]
        if not all(given):
            raise Failure(f"{name} does not start; see {self.work}")
        return given[0] if lines == 1 else given

    def start_at_port(self, command, port, **more):
        """The same for one that has to be told its port."""
        self.start(command, **more)
        end = time.monotonic() + 20
        while time.monotonic() < end:
            if self._started[-1].poll() is not None:
                break
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    return port
            time.sleep(0.02)
        raise Failure(f"{command[0]} does not listen; see {self.work}")

    def run(self, command, **more):
        """Gives what the command prints; Failure if its status is not 0."""
        command = [str(part) for part in command]
        try:
            done = subprocess.run(command, stdout=subprocess.PIPE,
                                  stderr=subprocess.STDOUT, timeout=SECONDS,
                                  check=False, **more)
        except subprocess.TimeoutExpired as error:
            raise Failure(f"{' '.join(command)}: takes too long") from error
        text = done.stdout.decode(errors="replace")
        if done.returncode != 0:
            raise Failure(f"{' '.join(command)}: {done.returncode}\n{text}")
        return text

    def group(self, what, run, *arguments):
        """Checks that need a peer, which may fail to start."""
        try:
            run(self, *arguments)
        except Failure as error:
            self.fail(what, error)

    def fail(self, what, error):
        self.failed.append(what)
        print(f"  {what}: FAILED\n{error}")

    def check(self, what, body):
        """Runs body(), which raises Failure or gives a word on its success."""
        begin = time.monotonic()
        try:
            word = body()
        except Failure as error:
            self.fail(what, error)
        else:
            self.passed += 1
            print(f"  {what}: {word} ({time.monotonic() - begin:.1f} s)")
        sys.stdout.flush()

    def call(self, what, address, protocol, checks, tls=False, pacer=None,
             retry_on=RETRY_ON):
        """Our client's checks against a server."""
        mesh = self.work / f"{what.replace(' ', '_')}.yaml"
        mesh.write_text(
            MESH.format(retry_on=retry_on) +
            cluster("peer", address, protocol,
                    self.certificates if tls else None) +
            cluster("pacer", pacer or address, "http1"), encoding="utf-8")

        def body():
            self.run([self.interop, "call", mesh, *checks])
            return f"{len(checks)} checks"

        self.check(f"http::Client to {what}", body)
