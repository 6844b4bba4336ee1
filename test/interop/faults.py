"""Fault filters: what Envoy does with a configuration, and what we say of it.

The same file is served by Envoy and read by meshctl. Fixed cases are asked of
both; of the parts by chance, shares are compared.
"""

import http.client
import json
import math

from harness import Failure, free_port

TYPE = "'@type': type.googleapis.com/envoy.extensions.filters.http."
FAULT = TYPE + "fault.v3.HTTPFault"
SWITCH = "'@type': type.googleapis.com/envoy.config.route.v3.FilterConfig"
CONFIG = """
layered_runtime:
  layers:
  - name: static
    static_layer:
      fault.http.caller.abort.abort_percent: 100
      fault.http.caller.abort.http_status: 404
      my.abort.percent: {{numerator: 25, denominator: HUNDRED}}
static_resources:
  listeners:
  - name: l
    address: {{socket_address: {{address: 127.0.0.1, port_value: {port}}}}}
    filter_chains:
    - filters:
      - name: envoy.filters.network.http_connection_manager
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.filters.network.\
http_connection_manager.v3.HttpConnectionManager
          stat_prefix: in
          http_filters:
          - name: faults
            typed_config: {{{fault}, abort: {{http_status: 501,
              percentage: {{numerator: 100}}}}}}
          - name: spare
            disabled: true
            typed_config: {{{fault}, abort: {{http_status: 420,
              percentage: {{numerator: 100}}}}}}
          - name: envoy.filters.http.router
            typed_config: {{{type}router.v3.Router}}
          route_config:
            name: routes
            typed_per_filter_config: {{faults: {{{fault},
              abort: {{http_status: 502, percentage: {{numerator: 100}}}}}}}}
            virtual_hosts:
            - name: inherits
              domains: [inherits]
              routes: [{{match: {{prefix: /}}, route: {{cluster: a}}}}]
            - name: all
              domains: ["*"]
              typed_per_filter_config: {{faults: {{{fault},
                abort: {{http_status: 503, percentage: {{numerator: 100}}}}}}}}
              routes:
{routes}
  clusters:
  - name: a
    type: STATIC
    load_assignment:
      cluster_name: a
      endpoints:
      - lb_endpoints:
        - endpoint: {{address: {{socket_address: {{address: 127.0.0.1,
            port_value: {upstream}}}}}}}
"""
ALL = "percentage: {numerator: 100}"
HEADER = f"abort: {{header_abort: {{}}, {ALL}}}"


def route(path, per_filter="", action="route: {cluster: a}"):
    text = f"              - {{match: {{prefix: {path}}}, {action}"
    if per_filter:
        text += f", typed_per_filter_config: {{{per_filter}}}"
    return text + "}\n"


def fault(settings, name="faults"):
    return f"{name}: {{{FAULT}, {settings}}}"


WEIGHTED = ("route: {{weighted_clusters: {{clusters: [{{name: a, weight: 1, "
            "typed_per_filter_config: {{{0}}}}}]}}}}")
ROUTES = "".join([
    route("/route", fault(f"abort: {{http_status: 504, {ALL}}}")),
    route("/grpc", fault(f"abort: {{grpc_status: 7, {ALL}}}")),
    route("/body", fault(f"abort: {{http_status: 500, {ALL}, response_body: "
                         "'50% of it'}")),
    route("/header", fault(HEADER)),
    route("/half-header",
          fault("abort: {header_abort: {}, percentage: {numerator: 50}}")),
    route("/none", f"faults: {{{FAULT}}}"),
    route("/disabled", f"faults: {{{SWITCH}, disabled: true}}"),
    route("/enabled", f"faults: {{{SWITCH}, config: {{}}}}"),
    route("/two", f"faults: {{{SWITCH}, disabled: true}}, "
                  f"spare: {{{SWITCH}, config: {{}}}}"),
    route("/spare", f"faults: {{{FAULT}}}, "
          + fault(f"abort: {{http_status: 421, {ALL}}}", "spare")),
    route("/weighted", fault(f"abort: {{http_status: 504, {ALL}}}"),
          WEIGHTED.format(fault(f"abort: {{http_status: 505, {ALL}}}"))),
    route("/off-weighted", fault(f"abort: {{http_status: 504, {ALL}}}"),
          WEIGHTED.format(f"faults: {{{SWITCH}, disabled: true}}")),
    route("/cluster", fault(f"upstream_cluster: b, abort: {{http_status: 500, "
                            f"{ALL}}}")),
    route("/match", fault("headers: [{name: x-user, string_match: {exact: u}}]"
                          f", abort: {{http_status: 500, {ALL}}}")),
    route("/node", fault("downstream_nodes: [one], abort: {http_status: 500, "
                         f"{ALL}}}")),
    route("/redirect", "", "redirect: {path_redirect: /x}"),
    route("/direct", fault(f"abort: {{http_status: 500, {ALL}}}"),
          "direct_response: {status: 201}"),
    route("/caller", fault("abort: {http_status: 500, percentage: {}}")),
    route("/zero", fault("max_active_faults: 0, abort: {http_status: 500, "
                         f"{ALL}}}")),
    route("/part", fault("abort: {http_status: 500, percentage: {numerator: "
                         "1500, denominator: TEN_THOUSAND}}")),
    route("/runtime", fault("abort_percent_runtime: my.abort.percent, abort: "
                            "{http_status: 500, percentage: {}}")),
    route("/", ""),
])
GRPC = {"content-type": "application/grpc"}
ABORT = "x-envoy-fault-abort-request"
CASES = [
    ("/", {}), ("/route", {}), ("/route", GRPC), ("/grpc", {}),
    ("/grpc", GRPC), ("/body", {}), ("/body", GRPC), ("/header", {}),
    ("/header", {ABORT: "404"}), ("/header", {ABORT: "199"}),
    ("/header", {ABORT: "600"}), ("/header", {ABORT: " 418 "}),
    ("/header", {ABORT: "4x"}), ("/header", {ABORT: "404"} | GRPC),
    ("/header", {"x-envoy-fault-abort-grpc-request": "5"}),
    ("/header", {"x-envoy-fault-abort-grpc-request": "5"} | GRPC),
    ("/header", {ABORT: "404", "x-envoy-fault-abort-grpc-request": "5"}),
    ("/header", {ABORT: "404", ABORT + "-percentage": "0"}),
    ("/header", {ABORT: "404", ABORT + "-percentage": "200"}),
    ("/none", {}), ("/disabled", {}), ("/enabled", {}), ("/two", {}),
    ("/spare", {}), ("/weighted", {}), ("/off-weighted", {}), ("/cluster", {}),
    ("/match", {}), ("/match", {"x-user": "u"}),
    ("/node", {}), ("/node", {"x-envoy-downstream-service-node": "one"}),
    ("/node", {"x-envoy-downstream-service-node": "two"}),
    ("/redirect", {}), ("/direct", {}), ("/caller", {}),
    ("/caller", {"x-envoy-downstream-service-cluster": "caller"}),
    ("/caller", {"x-envoy-downstream-service-cluster": "other"}),
    ("/zero", {}),
] + [("/header", {ABORT: str(status)} | GRPC)
     for status in (200, 400, 401, 403, 404, 418, 429, 500, 502, 503, 504)]
SHARES = [("/part", {}), ("/runtime", {}), ("/half-header", {ABORT: "500"}),
          ("/half-header", {ABORT: "500", ABORT + "-percentage": "20"})]
REQUESTS = 4000


class Asked:
    """Envoy's answer; "forwarded" is what its upstream says."""

    def __init__(self, connection, path, headers, host):
        connection.request("GET", path, headers=headers | {"host": host})
        response = connection.getresponse()
        self.body = response.read().decode()
        self.headers = {name.lower(): value
                        for name, value in response.getheaders()}
        self.status = response.status
        self.forwarded = "x-envoy-upstream-service-time" in self.headers


def explain(harness, config, path, headers, host):
    command = [harness.build / "bin/meshctl", "explain", "-c", config,
               "--json", "--authority", host, "--path", path]
    for name, value in headers.items():
        command += ["--header", f"{name}={value}"]
    return json.loads(harness.run(command))


def compare(harness, config, connection, path, headers, host):
    """Gives what differs, or nothing."""
    asked = Asked(connection, path, headers, host)
    said = explain(harness, config, path, headers, host)
    what = f"{host}{path} {headers}: Envoy {asked.status} {asked.headers} " \
           f"{asked.body!r}, we {said.get('response')} {said.get('faults')}"
    if asked.forwarded:
        return what if said["response"] else None
    if not said["response"]:
        return what
    faults = said.get("faults", [])
    if not faults:  # a redirect
        return what if said["response"]["status"] != asked.status else None
    if headers.get("content-type") == GRPC["content-type"]:
        status = faults[-1].get("grpc_status")
        same = (asked.status == 200 and asked.body == "" and
                asked.headers.get("content-type") == "application/grpc" and
                asked.headers.get("grpc-status") == str(status) and
                "grpc-message" in asked.headers)
    else:
        same = (asked.status == said["response"]["status"] and
                asked.body == said["response"]["body"] and
                asked.headers.get("content-type") == "text/plain" and
                asked.headers.get("content-length") == str(len(asked.body))
                and "grpc-status" not in asked.headers)
    return None if same else what


def share(harness, config, connection, path, headers):
    envoy = sum(not Asked(connection, path, headers, "h").forwarded
                for _ in range(REQUESTS)) / REQUESTS
    command = [harness.build / "bin/meshctl", "simulate", "-c", config,
               "--json", "--authority", "h", "--path", path,
               "--requests", str(REQUESTS), "--seed", "1"]
    for name, value in headers.items():
        command += ["--header", f"{name}={value}"]
    ours = json.loads(harness.run(command))["failures"] / REQUESTS
    sigma = math.sqrt(2 * envoy * (1 - envoy) / REQUESTS)
    if abs(ours - envoy) > 5 * sigma:
        return f"{path} {headers}: Envoy {envoy}, we {ours}"
    return None


def run(harness, plain):
    """`plain`: the address of a server over HTTP/1.1."""
    port = free_port()
    config = harness.work / "faults.yaml"
    config.write_text(CONFIG.format(
        port=port, routes=ROUTES, type=TYPE, fault=FAULT,
        upstream=str(plain).rsplit(":", 1)[-1]), encoding="utf-8")
    harness.start_at_port(
        [harness.envoy, "-c", config, "--concurrency", "1", "-l", "warning",
         "--disable-hot-restart"], port)
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)

    def body():
        wrong = [compare(harness, config, connection, path, headers, "h")
                 for path, headers in CASES]
        wrong.append(compare(harness, config, connection, "/", {}, "inherits"))
        wrong += [share(harness, config, connection, path, headers)
                  for path, headers in SHARES]
        wrong = [text for text in wrong if text]
        if wrong:
            raise Failure("\n".join(wrong))
        return f"{len(CASES) + 1} cases, {len(SHARES)} shares"

    harness.check("fault filters, Envoy and meshctl", body)
