"""Envoy: as a server, and between a client and our server."""

from harness import cluster, free_port

# h2c and HTTP/1.1 are told apart by the first bytes; TLS agrees by ALPN.
BOOTSTRAP = """
admin: {{address: {{socket_address: {{address: 127.0.0.1, port_value: 0}}}}}}
static_resources:
  listeners:
{listeners}
  clusters:
{clusters}
"""
LISTENER = """
  - name: listener_{port}
    address: {{socket_address: {{address: 127.0.0.1, port_value: {port}}}}}
    filter_chains:
    - filters:
      - name: envoy.filters.network.http_connection_manager
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.filters.network.\
http_connection_manager.v3.HttpConnectionManager
          stat_prefix: in
          codec_type: AUTO
          http_protocol_options: {{enable_trailers: true}}
          {options}
          http_filters:
          - name: envoy.filters.http.router
            typed_config:
              "@type": type.googleapis.com/envoy.extensions.filters.http.\
router.v3.Router
              suppress_envoy_headers: true
          route_config:
            name: routes
            virtual_hosts:
            - name: all
              domains: ["*"]
              routes:
              - match: {{path: /early}}
                direct_response: {{status: 413, body: {{inline_string: full}}}}
              - match: {{path: /204}}
                direct_response: {{status: 204}}
              - match: {{prefix: /}}
                route: {{cluster: {cluster}}}
"""
DOWNSTREAM_TLS = """
      transport_socket:
        name: tls
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.transport_sockets.\
tls.v3.DownstreamTlsContext
          require_client_certificate: true
          common_tls_context:
            alpn_protocols: [h2, http/1.1]
            tls_certificates:
            - certificate_chain: {{filename: {folder}/server.pem}}
              private_key: {{filename: {folder}/server.key}}
            validation_context:
              trusted_ca: {{filename: {folder}/root.pem}}
"""
CHECKS = ("hello echo trailers head no-content not-modified close early "
          "threads concurrent").split()


def start(harness, upstreams):
    """Gives the ports of what listens: {(upstream, kind): port}."""
    kinds = {"plaintext": "", "mTLS": "",
             "that ends connections": "common_http_protocol_options: "
                                      "{max_requests_per_connection: 7}"}
    ports, listeners = {}, ""
    for upstream in upstreams:
        for kind, options in kinds.items():
            port = ports[upstream, kind] = free_port()
            listeners += LISTENER.format(port=port, cluster=upstream,
                                         options=options)
            if kind == "mTLS":
                listeners += DOWNSTREAM_TLS.format(
                    folder=harness.certificates)
    clusters = "".join(
        cluster(name, address, protocol, tls)
        for name, (address, protocol, tls) in upstreams.items())
    config = harness.work / "envoy.yaml"
    config.write_text(BOOTSTRAP.format(listeners=listeners,
                                       clusters=clusters), encoding="utf-8")
    harness.start_at_port(
        [harness.envoy, "-c", config, "--concurrency", "1", "-l", "warning",
         "--disable-hot-restart"], port)
    return ports


def run(harness, plain, secure):
    """`plain` and `secure`: our servers' addresses."""
    folder = harness.certificates
    ports = start(harness, {
        "http1": (plain, "http1", None),
        "http2": (plain, "http2", None),
        "http2_mTLS": (secure, "http2", folder)})
    for (upstream, kind), port in ports.items():
        for protocol in ("http1", "http2"):
            if upstream != "http1" and kind != "plaintext":
                continue
            harness.call(f"Envoy {kind} {protocol}, {upstream} to HttpServer",
                         port, protocol, CHECKS, tls=kind == "mTLS")
