"""Envoy as the client of `meshctl serve`."""

import subprocess
import time
import urllib.error
import urllib.request

from harness import Failure, free_port

SECONDS = 20

RESOURCES = """
resources:
- "@type": type.googleapis.com/envoy.config.cluster.v3.Cluster
  name: admin
  type: EDS
  connect_timeout: {timeout}s
  eds_cluster_config:
    service_name: admin-hosts
    eds_config: {{ads: {{}}, resource_api_version: V3}}
- "@type": type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment
  cluster_name: admin-hosts
  endpoints:
  - lb_endpoints:
    - endpoint:
        address: {{socket_address: {{address: 127.0.0.1, port_value: {admin}}}}}
- "@type": type.googleapis.com/envoy.config.listener.v3.Listener
  name: in
  address: {{socket_address: {{address: 127.0.0.1, port_value: {port}}}}}
  filter_chains:
  - filters:
    - name: envoy.filters.network.http_connection_manager
      typed_config:
        "@type": type.googleapis.com/envoy.extensions.filters.network.\
http_connection_manager.v3.HttpConnectionManager
        stat_prefix: in
        http_filters:
        - name: envoy.filters.http.router
          typed_config:
            "@type": type.googleapis.com/envoy.extensions.filters.http.\
router.v3.Router
        rds:
          route_config_name: routes
          config_source: {{ads: {{}}, resource_api_version: V3}}
"""
ROUTES = """
"@type": type.googleapis.com/envoy.config.route.v3.RouteConfiguration
name: routes
virtual_hosts:
- name: all
  domains: ["*"]
  routes:
  - match: {{path: /word}}
    direct_response: {{status: 200, body: {{inline_string: {word}}}}}
  - match: {{prefix: /}}
    route: {{cluster: admin}}
"""
BOOTSTRAP = """
node: {{id: envoy-of-interop, cluster: interop}}
admin: {{address: {{socket_address: {{address: 127.0.0.1, port_value: {admin}}}}}}}
dynamic_resources:
  ads_config:
    api_type: GRPC
    transport_api_version: V3
    grpc_services: [{{envoy_grpc: {{cluster_name: xds}}}}]
  cds_config: {{ads: {{}}, resource_api_version: V3}}
  lds_config: {{ads: {{}}, resource_api_version: V3}}
static_resources:
  clusters:
  - name: xds
    type: STATIC
    connect_timeout: 5s
    typed_extension_protocol_options:
      envoy.extensions.upstreams.http.v3.HttpProtocolOptions:
        "@type": type.googleapis.com/envoy.extensions.upstreams.http.v3.\
HttpProtocolOptions
        explicit_http_config: {{http2_protocol_options: {{}}}}
    load_assignment:
      cluster_name: xds
      endpoints:
      - lb_endpoints:
        - endpoint:
            address:
              socket_address: {{address: 127.0.0.1, port_value: {serve}}}
{tls}
"""
TLS = """
    transport_socket:
      name: tls
      typed_config:
        "@type": type.googleapis.com/envoy.extensions.transport_sockets.\
tls.v3.UpstreamTlsContext
        common_tls_context:
          tls_certificates:
          - certificate_chain: {{filename: {folder}/client.pem}}
            private_key: {{filename: {folder}/client.key}}
          validation_context:
            trusted_ca: {{filename: {folder}/root.pem}}
"""


def wait(what, holds):
    end = time.monotonic() + SECONDS
    while not holds():
        if time.monotonic() > end:
            raise Failure(f"it never came to this: {what}")
        time.sleep(0.02)


def get(port, path):
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}",
                                    timeout=5) as response:
            return response.read().decode()
    except (urllib.error.URLError, OSError):
        return None


class Serve:
    """`meshctl serve`, a folder that it serves, and an Envoy that asks it."""

    def __init__(self, harness, name, tls):
        self.folder = harness.work / f"serve_{name}"
        self.folder.mkdir(exist_ok=True)
        self.out = harness.work / f"serve_{name}.out"
        self.port, self.admin = free_port(), free_port()
        self.put("mesh.yaml", self.resources(1))
        self.put("routes.yaml", ROUTES.format(word="one"))
        folder = harness.certificates
        command = [harness.build / "bin/meshctl", "serve", self.folder]
        if tls:
            command += ["--tls-cert", folder / "server.pem", "--tls-key",
                        folder / "server.key", "--client-ca",
                        folder / "root.pem"]
        with open(self.out, "wb") as out:
            self.process = subprocess.Popen(command, stdout=out, stderr=out)
        harness._started.append(self.process)
        wait("meshctl serves", lambda: " at 127.0.0.1:" in self.text())
        first = self.text().split("\n", maxsplit=1)[0]
        config = harness.work / f"serve_{name}_envoy.yaml"
        config.write_text(
            BOOTSTRAP.format(admin=self.admin, serve=first.split(":")[-1],
                             tls=TLS.format(folder=folder) if tls else ""),
            encoding="utf-8")
        harness.start_at_port(
            [harness.envoy, "-c", config, "--concurrency", "1", "-l",
             "warning", "--disable-hot-restart"], self.admin)

    def text(self):
        return self.out.read_text(encoding="utf-8")

    def resources(self, timeout, port=None):
        return RESOURCES.format(timeout=timeout, admin=self.admin,
                                port=port or self.port)

    def put(self, name, text):
        """As an editor does it."""
        new = self.folder / f".{name}.new"
        new.write_text(text, encoding="utf-8")
        new.rename(self.folder / name)

    def check(self):
        def word(text):
            wait(f"Envoy says {text}", lambda: get(self.port, "/word") == text)

        word("one")
        wait("endpoints", lambda: get(self.port, "/ready") == "LIVE\n")
        self.put("routes.yaml", ROUTES.format(word="two"))
        word("two")
        # What is not valid changes nothing.
        self.put("routes.yaml", "name: [")
        wait("an error", lambda: "is not valid" in self.text())
        self.put("routes.yaml", ROUTES.format(word="three"))
        word("three")
        # A cluster made anew gets its endpoints again.
        warm = "cluster_manager.warming_clusters: 0"
        acks = self.text().count("ACK ClusterLoadAssignment")
        self.put("mesh.yaml", self.resources(2))
        wait("new endpoints", lambda: self.text().count(
            "ACK ClusterLoadAssignment") > acks)
        wait("a warm cluster", lambda: warm in (
            get(self.admin, "/stats?filter=warming_clusters") or ""))
        if get(self.port, "/ready") != "LIVE\n":
            raise Failure("the cluster is lost")
        # Envoy cannot listen where Envoy's admin does.
        self.put("mesh.yaml", self.resources(2, self.admin))
        wait("a NACK", lambda: 'client 1 "envoy-of-interop": NACK Listener'
             in self.text())
        word("three")
        self.put("mesh.yaml", self.resources(2))
        (self.folder / "routes.yaml").rename(self.folder / "renamed.yaml")
        word("three")
        self.process.terminate()
        if self.process.wait(SECONDS) != 0:
            raise Failure(f"meshctl ends with {self.process.returncode}")
        word("three")
        return f"{self.text().count(': ACK')} ACKs"


def run(harness):
    for name in ("plaintext", "mTLS"):
        harness.check(f"Envoy asks meshctl serve, {name}",
                      lambda name=name: Serve(harness, name,
                                              name == "mTLS").check())
