"""nghttpd, Go, gRPC C++, curl, h2load and h2spec."""

import os
import re

from harness import Failure, free_port, skip

ALL = ("hello echo trailers head no-content not-modified chunked close early "
       "threads concurrent").split()


def nghttpd_at(harness, *arguments, **more):
    port = free_port()
    return harness.start_at_port(
        [harness.tool("nghttpd"), "-a", "127.0.0.1", *arguments, port], port,
        **more)


def nghttpd(harness):
    files = harness.work / "files"
    files.mkdir(exist_ok=True)
    for name in ("hello", "trailers", "304"):
        (files / name).write_text("hello", encoding="utf-8")
    arguments = ["--htdocs", files, "--trailer", "x-check: done",
                 "--echo-upload", "--max-concurrent-streams=20"]
    checks = "hello echo trailers head not-modified threads concurrent".split()
    harness.call("nghttpd", nghttpd_at(harness, "--no-tls", *arguments),
                 "http2", checks)
    pair = [harness.certificates / name
            for name in ("server.key", "server.pem")]
    port = free_port()
    harness.start_at_port(
        [harness.tool("nghttpd"), "-a", "127.0.0.1", "--verify-client",
         *arguments, port, *pair], port,
        env={**os.environ,
             "SSL_CERT_FILE": str(harness.certificates / "root.pem")})
    harness.call("nghttpd mTLS", port, "http2", checks, tls=True)


def go_server(harness):
    lines = harness.start([harness.go, "serve", harness.certificates], lines=3)
    address = dict(line.split() for line in lines)
    for protocol in ("http1", "http2"):
        harness.call(f"Go {protocol}", address["plaintext"], protocol, ALL)
        harness.call(f"Go {protocol} mTLS", address["tls"], protocol, ALL,
                     tls=True)
        harness.call(f"Go {protocol} that ends idle connections",
                     address["idle"], protocol, ["idle"],
                     pacer=address["plaintext"])
    harness.call("Go ALPN mTLS", address["tls"], "alpn", ALL, tls=True)


def go_client(harness, address, secure_address):
    for protocol in ("http1", "http2"):
        for url in (f"http://{address}", f"https://{secure_address}"):
            scheme = url.split(":", 1)[0]

            def body(protocol=protocol, url=url):
                harness.run([harness.go, "call", harness.certificates, url,
                             protocol])
                return "good"
            harness.check(f"Go {protocol} {scheme} to HttpServer", body)


def curl_body(harness, base, arguments):
    upload = harness.work / "upload"
    upload.write_bytes(bytes(range(256)) * 4096)
    command = [harness.tool("curl"), "-sS", "--fail", "--max-time", "20",
               *arguments]

    def expect(got, want):
        if got != want:
            raise Failure(f"curl {arguments}: got {got[:200]!r}")

    def body():
        expect(harness.run([*command, f"{base}/hello"]), "hello")
        down = harness.work / "download"
        for how in (["--data-binary", f"@{upload}"],
                    ["-T", "-", "-X", "POST"]):
            with open(upload, "rb") as stdin:
                harness.run([*command, *how, "-o", down, f"{base}/echo"],
                            stdin=stdin)
            if down.read_bytes() != upload.read_bytes():
                raise Failure(f"curl {how}: another body came back")
        expect(harness.run([*command, f"{base}/204"]), "")
        if "content-length: 5" not in harness.run(
                [*command, "-I", f"{base}/hello"]).lower():
            raise Failure("curl -I: no content-length")
        chunked = harness.run([*command, f"{base}/chunked"])
        expect(chunked, "one piece of many\n" * 100)
        trailers = harness.run([*command, "-D", "-", f"{base}/trailers"])
        if "x-check: done" not in trailers.lower():
            raise Failure(f"curl: no trailers in\n{trailers}")
        return "good"
    return body


def curl(harness, address, secure_address):
    folder = harness.certificates
    mutual = ["--cacert", folder / "root.pem", "--cert", folder / "client.pem",
              "--key", folder / "client.key"]
    for name, base, arguments in (
            ("http1", f"http://{address}", ["--http1.1"]),
            ("http2", f"http://{address}", ["--http2-prior-knowledge"]),
            ("http1 mTLS", f"https://{secure_address}",
             ["--http1.1", *mutual]),
            ("http2 mTLS", f"https://{secure_address}", ["--http2", *mutual])):
        harness.check(f"curl {name} to HttpServer",
                      curl_body(harness, base, arguments))

    def refused():
        try:
            harness.run([harness.tool("curl"), "-sS", "--cacert",
                         folder / "root.pem",
                         f"https://{secure_address}/hello"])
        except Failure:
            return "refused"
        raise Failure("the server takes clients without certificates")
    harness.check("curl without a certificate", refused)


def h2load(harness):
    folder = harness.certificates
    plain = harness.start([harness.server], lines=1)
    secure = harness.start([harness.server, f"--cert={folder}/server.pem",
                            f"--key={folder}/server.key"], lines=1)
    for name, url, arguments in (
            ("http1", f"http://{plain}/", ["--h1"]),
            ("http2", f"http://{plain}/", ["-m", "32"]),
            ("http1 TLS", f"https://{secure}/",
             ["--npn-list=http/1.1", "--h1"]),
            ("http2 TLS", f"https://{secure}/", ["-m", "32"])):
        def body(url=url, arguments=arguments):
            text = harness.run([harness.tool("h2load"), "-n", "20000", "-c",
                                "8", *arguments, url])
            if "20000 succeeded, 0 failed, 0 errored" not in text:
                raise Failure(text)
            return "20000 succeeded"
        harness.check(f"h2load {name} to HttpServer", body)


def h2spec_passes(harness, address):
    """How many pass, and the whole text."""
    host, port = address.rsplit(":", 1)
    try:
        text = harness.run([harness.h2spec, "-h", host, "-p", port, "-o", "1"])
    except Failure as error:
        text = str(error)  # some fail everywhere
    match = re.search(r"(\d+) tests, (\d+) passed", text)
    if not match:
        raise Failure(text)
    return int(match.group(2)), text


def h2spec(harness):
    def body():
        ours, text = h2spec_passes(
            harness, harness.start(
                [harness.server, "--http2", "--body=1000"], lines=1))
        theirs, _ = h2spec_passes(
            harness, f"127.0.0.1:{nghttpd_at(harness, '--no-tls')}")
        if ours < theirs:
            raise Failure(f"{ours} pass, nghttpd {theirs}:\n{text}")
        return f"{ours} pass, with nghttpd {theirs}"
    harness.check("h2spec to HttpServer", body)


def grpc(harness, address):
    server = harness.start([harness.grpc, "serve"], lines=1)
    harness.call("gRPC C++", server, "http2", ["grpc", "grpc-streams", "grpc-refused"])

    def body():
        return harness.run([harness.grpc, "call", address]).strip()
    harness.check("gRPC C++ to HttpServer", body)


def run(harness, plain, secure):
    """`plain` and `secure`: our servers' addresses."""
    # The checks and the routes themselves.
    for protocol in ("http1", "http2"):
        for name, address in (("", plain), (" mTLS", secure)):
            harness.call(f"HttpServer {protocol}{name}", address, protocol,
                         [c for c in ALL if c != "chunked"], tls=bool(name))
    harness.group("nghttpd", nghttpd)
    if harness.go:
        harness.group("Go's server", go_server)
        harness.group("Go's client", go_client, plain, secure)
    else:
        skip("Go", "there is none")
    harness.group("curl", curl, plain, secure)
    harness.group("h2load", h2load)
    if harness.h2spec:
        h2spec(harness)
    else:
        skip("h2spec", "there is none")
    if harness.grpc.exists():
        harness.group("gRPC C++", grpc, plain)
    else:
        skip("gRPC C++", "it is not installed")
