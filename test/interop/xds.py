"""Discovery: our client and go-control-plane, with Envoy and Go as servers.

The control plane gives bad and missing resources, cuts its streams, is slow,
flaps and dies; requests that go on meanwhile must not notice.
"""

import json
import time

from harness import Failure, free_port, port_of

TYPE = "type.googleapis.com/envoy."
BOOTSTRAP = """
node: {{id: "{node}", cluster: interop, locality: {{region: here}}}}
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
    connect_timeout: 1s
    typed_extension_protocol_options:
      envoy.extensions.upstreams.http.v3.HttpProtocolOptions:
        "@type": {type}extensions.upstreams.http.v3.HttpProtocolOptions
        explicit_http_config: {{http2_protocol_options: {{}}}}
    load_assignment:
      cluster_name: xds
      endpoints:
      - lb_endpoints:
        - endpoint: {{address: {{socket_address:
            {{address: 127.0.0.1, port_value: {port}}}}}}}
"""
ENVOY = """
static_resources:
  listeners:
  - name: in
    address: {{socket_address: {{address: 127.0.0.1, port_value: {port}}}}}
    filter_chains:
    - filters:
      - name: envoy.filters.network.http_connection_manager
        typed_config:
          "@type": {type}extensions.filters.network.http_connection_manager.v3.\
HttpConnectionManager
          stat_prefix: in
          http_filters:
          - name: envoy.filters.http.router
            typed_config: {{"@type": {type}extensions.filters.http.router.v3.\
Router}}
          route_config:
            name: all
            virtual_hosts:
            - name: all
              domains: ["*"]
              routes:
              - match: {{prefix: /}}
                direct_response: {{status: 200, body: {{inline_string: hi}}}}
"""
ADS = {"ads": {}, "resourceApiVersion": "V3"}
URL = "http://echo.test:8080/hello"
SECONDS = 10  # until a client must have heard of something


def cluster(name, **more):
    return {"name": name, "type": "EDS", "connectTimeout": "1s",
            "edsClusterConfig": {"edsConfig": ADS}, **more}


def assignment(name, *ports):
    return {"clusterName": name, "endpoints": [{"lbEndpoints": [
        {"endpoint": {"address": {"socketAddress": {
            "address": "127.0.0.1", "portValue": port}}}}
        for port in ports]}]}


def manager(routes):
    router = {"@type": TYPE + "extensions.filters.http.router.v3.Router"}
    return {"@type": TYPE + "extensions.filters.network."
                            "http_connection_manager.v3.HttpConnectionManager",
            "statPrefix": "out",
            "rds": {"routeConfigName": routes, "configSource": ADS},
            "httpFilters": [{"name": "envoy.filters.http.router",
                             "typedConfig": router}]}


def outbound(routes):
    """A sidecar's listener."""
    return {"name": "outbound", "address": {"socketAddress": {
        "address": "0.0.0.0", "portValue": 8080}},
            "filterChains": [{"filters": [{
                "name": "envoy.filters.network.http_connection_manager",
                "typedConfig": manager(routes)}]}]}


def api_listener(name, routes):
    """One of gRPC's kind."""
    return {"name": name, "apiListener": {"apiListener": manager(routes)}}


def route_config(name, to, **more):
    return {"name": name, "virtualHosts": [{
        "name": "all", "domains": ["*"],
        "routes": [{"match": {"prefix": "/ghost"},
                    "route": {"cluster": "ghost"}},
                   {"match": {"prefix": "/"},
                    "route": {"cluster": to,
                              "retryPolicy": {
                                  "retryOn": "connect-failure,reset"}}}],
        **more}]}


class Talker:
    """A process that answers each line with one."""

    def __init__(self, harness, command, lines=0, **more):
        self.first = harness.start(command, lines=lines, pipe=True, **more)
        self.process = harness.last

    def ask(self, text):
        self.process.stdin.write(text + "\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline().strip()
        if not answer or answer.startswith("error"):
            raise Failure(f"{text}: {answer or 'it has died'}")
        return answer


class Lab:
    def __init__(self, harness):
        self.harness = harness
        self.version = 0
        self.ports = [free_port()]
        file = harness.work / "xds_envoy.yaml"
        file.write_text(ENVOY.format(port=self.ports[0], type=TYPE),
                        encoding="utf-8")
        harness.start_at_port([harness.envoy, "-c", file, "--base-id",
                               str(free_port()), "-l", "warning"],
                              self.ports[0])
        for _ in range(2):
            address = harness.start([harness.go, "serve",
                                     harness.certificates], lines=3)[0]
            self.ports.append(port_of(address))
        self.restart("127.0.0.1:0")
        self.address = self.server.first
        self.resources = {
            "Cluster": [cluster("echo"), cluster("other")],
            "ClusterLoadAssignment": [assignment("echo", *self.ports[:2]),
                                      assignment("other", self.ports[2])],
            "Listener": [outbound("routes"), api_listener("echo", "routes")],
            "RouteConfiguration": [route_config("routes", "echo")],
        }
        self.push()

    def restart(self, address):
        self.server = Talker(self.harness,
                             [self.harness.controlplane, address], lines=1)

    def push(self, **changed):
        """Serves the resources, with these lists in the place of others."""
        self.version += 1
        file = self.harness.work / f"xds_{self.version}.json"
        file.write_text(json.dumps({**self.resources, **changed}),
                        encoding="utf-8")
        self.server.ask(f"set v{self.version} {file}")

    def state(self):
        return json.loads(self.server.ask("state"))

    def client(self, kind):
        file = self.harness.work / f"xds_{kind}"
        if kind == "grpc":
            text = json.dumps({
                "xds_servers": [{"server_uri": self.address,
                                 "channel_creds": [{"type": "insecure"}]}],
                "node": {"id": "by-grpc"}})
        else:
            text = BOOTSTRAP.format(port=port_of(self.address), type=TYPE,
                                    node=kind)
        file.write_text(text, encoding="utf-8")
        return Talker(self.harness,
                      [self.harness.interop, "discover", file])


def eventually(body, what):
    end = time.monotonic() + SECONDS
    while True:
        found = body()
        if found:
            return found
        if time.monotonic() > end:
            raise Failure(what)
        time.sleep(0.01)


def get(client, url=URL, count=20):
    return json.loads(client.ask(f"get {url} {count}"))


def ports(counts):
    return {port_of(host) for host in counts["hosts"]}


def reaches(client, wanted, url=URL):
    """Waits until requests go to these ports only, and to each of them."""
    eventually(lambda: ports(get(client, url)) == set(wanted),
               f"requests do not go to {wanted}: {get(client, url)}")


def end_load(client):
    counts = json.loads(client.ask("stop"))
    if counts["failed"] or not counts["ok"]:
        raise Failure(f"under load: {counts}")
    return counts["ok"]


def run(harness):
    lab = Lab(harness)
    client = lab.client("envoy-bootstrap")

    def first():
        counts = get(client)  # waits for its configuration
        if counts["failed"] or ports(counts) != set(lab.ports[:2]):
            raise Failure(f"first requests: {counts}")
        if client.ask("ready echo.test:8080") != "ok":
            raise Failure("not ready")
        return "first calls reach Envoy and Go"

    def by_name():
        grpc = lab.client("grpc")
        counts = get(grpc, "http://echo/hello")
        if counts["failed"] or ports(counts) != set(lab.ports[:2]):
            raise Failure(f"first requests: {counts}")
        return "the same by gRPC's bootstrap"

    def bad():
        broken = [cluster("echo"), cluster("other"),
                  cluster("broken", connectTimeout="-1s")]
        lab.push(Cluster=broken, ClusterLoadAssignment=[
            assignment("echo", lab.ports[2]), assignment("broken", 1),
            assignment("other", lab.ports[2])])
        nacks = eventually(lambda: lab.state()["nacks"], "no NACK")
        if "broken" not in nacks[-1] or "connect_timeout" not in nacks[-1]:
            raise Failure(f"the NACK is {nacks[-1]}")
        reaches(client, [lab.ports[2]])
        return f"NACK: {nacks[-1]}"

    def missing():
        # EDS of "ghost" never comes; requests to others know nothing of it.
        lab.push(Cluster=[cluster("echo"), cluster("other"),
                          cluster("ghost")])
        reaches(client, lab.ports[:2])
        lab.push()
        return "a cluster without endpoints holds nobody up"

    def cut():
        for after in (1, 2, 3, 4):
            lab.server.ask(f"cut-after {after}")
            lab.server.ask("cut")
            to = lab.ports[2] if after % 2 else lab.ports[0]
            lab.push(ClusterLoadAssignment=[assignment("echo", to),
                                            assignment("other", to)])
            if after > 3:  # CDS, LDS, RDS, EDS
                reaches(client, [to])
        lab.server.ask("cut-after 0")
        lab.server.ask("cut")
        reaches(client, [to])
        return "streams that end after 1, 2, 3, 4 responses"

    def slow():
        lab.server.ask("delay 500")
        lab.push()
        reaches(client, lab.ports[:2])
        lab.server.ask("delay 0")
        return "responses half a second late"

    def flap():
        before = lab.state()["streams"]
        end = time.monotonic() + 3
        while time.monotonic() < end:
            lab.server.ask("cut")
            lab.push(ClusterLoadAssignment=[
                assignment("echo", lab.ports[lab.version % 3]),
                assignment("other", lab.ports[2])])
            time.sleep(0.1)
        lab.push()
        reaches(client, lab.ports[:2])
        return f"{lab.state()['streams'] - before} streams in 3 s"

    def dead():
        lab.server.process.kill()
        lab.server.process.wait()
        time.sleep(1)
        lab.restart(lab.address)
        lab.push(ClusterLoadAssignment=[assignment("echo", lab.ports[2]),
                                        assignment("other", lab.ports[2])])
        # It asks again after up to 30 s; mostly much sooner.
        reaches(client, [lab.ports[2]])
        return "a dead control plane, and the next one"

    def under_load(body):
        def loaded():
            client.ask(f"load {URL}")
            try:
                word = body()
            finally:
                count = end_load(client)
            return f"{word}; {count} requests, none failed"
        return loaded

    harness.check("go-control-plane: start", first)
    harness.check("go-control-plane: targets", by_name)
    for what, body in {"bad": bad, "missing": missing, "cut": cut,
                       "slow": slow, "flapping": flap, "dead": dead}.items():
        harness.check(f"go-control-plane: {what}", under_load(body))
