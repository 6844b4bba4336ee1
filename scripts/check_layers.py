#!/usr/bin/env python3
"""Holds the layers of src/ apart.

Every #include in src/ and every meshlib_* dependency in the CMake files of
src/ must go to a lower layer. Siblings do not know each other, except that
net may use security. Public headers include the standard library, a handful
of Abseil headers and each other, and name no type of any other library.

    scripts/check_layers.py [ROOT]       check a checkout (default: this one)
    scripts/check_layers.py --self-test  plant bad edges; each must be found
"""

import re
import sys

import checks

LEVELS = (
    ("base", "proto"),
    ("event", "model"),
    ("routing", "lb", "resilience", "security", "net"),
    ("xds", "observe"),
    ("identity", "cluster"),
    ("mesh",),
    ("client", "server", "admin", "controlplane"),
    ("testing", "grpc", "capi", "meshctl"),
)
LEVEL = {name: level for level, names in enumerate(LEVELS) for name in names}
SIBLING_EDGES = {("net", "security")}

# Quoted includes of other libraries, as Google style writes them.
THIRD_PARTY = ("absl/", "google/", "gtest/", "gmock/", "benchmark/", "fuzzer/")

PUBLIC_ABSL = {
    "absl/functional/any_invocable.h",
    "absl/status/status.h",
    "absl/status/statusor.h",
    "absl/time/time.h",
    "absl/types/span.h",
}
# What these headers name, and nothing else of absl::.
PUBLIC_ABSL_NAME = re.compile(
    r"(Status|StatusOr|StatusCode|Time|Duration|Span|AnyInvocable|"
    r"\w+Error|OkStatus|IsUnavailable|IsNotFound|"
    r"(Zero|Infinite)Duration|Infinite(Past|Future)|UnixEpoch|"
    r"(Nano|Micro|Milli)?[Ss]econds|Minutes|Hours|MakeConstSpan|MakeSpan)$")
FOREIGN_NAMESPACE = re.compile(
    r"(?<![\w:])(google|YAML|re2|RE2|boost|rapidjson|grpc|grpc_impl|CLI|"
    r"testing)\s*::|"
    r"^\s*namespace\s+(google|YAML|re2|boost|rapidjson|grpc|absl|CLI)\b|"
    r"\b(struct|class)\s+(nghttp2_\w+|ares_\w+|ssl_\w+|evp_\w+|x509_\w+)|"
    r"\b(SSL|SSL_CTX|X509|EVP_PKEY|XXH\w+|nghttp2_\w+|ares_\w+)\b")

INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]')
CMAKE_LIBRARY = re.compile(r"\bmeshlib_(\w+)")


def strip_comments(line):
    return re.sub(r"//.*|/\*.*?\*/|\"(\\.|[^\"\\])*\"", "", line)


def layer_of_include(path):
    """The layer that an include names, "public", or None (not ours)."""
    if path.startswith("meshlib/xds/") or path.endswith(".pb.h"):
        # The generated messages live in src/proto under their package's path.
        return None if path.startswith("google/") else "proto"
    head = path.split("/", 1)[0]
    if head == "meshlib":
        return "public"
    return head if head in LEVEL else None


def edge_allowed(source, target):
    return (source == target or LEVEL[target] < LEVEL[source] or
            (source, target) in SIBLING_EDGES)


def edge_problem(where, source, target):
    kind = "sibling" if LEVEL[source] == LEVEL[target] else "upward"
    return (f"{where}: {kind} edge: {source} (L{LEVEL[source]}) must not use "
            f"{target} (L{LEVEL[target]})")


def check_source(root, path, layer):
    for number, line in enumerate(path.read_text().splitlines(), 1):
        match = INCLUDE.match(line)
        if not match:
            continue
        where = f"{path.relative_to(root)}:{number}"
        quote, name = match.groups()
        target = layer_of_include(name)
        if target in LEVEL and not edge_allowed(layer, target):
            yield edge_problem(where, layer, target)
        elif quote == '"' and target is None and \
                not name.startswith(THIRD_PARTY):
            yield (f'{where}: "{name}" is not written from src/ or include/, '
                   "or names no layer")


def check_cmake(root, path, layer):
    text = re.sub(r"#.*", "", path.read_text())
    for number, line in enumerate(text.splitlines(), 1):
        for name in CMAKE_LIBRARY.findall(line):
            if name in LEVEL and not edge_allowed(layer, name):
                yield edge_problem(f"{path.relative_to(root)}:{number}",
                                   layer, name)


def check_public_include(where, quote, name):
    if quote == "<":
        if not re.fullmatch(r"[a-z_]+[0-9]*[a-z_]*|std\w+\.h", name):
            yield f"{where}: <{name}> is not a standard C++ header"
    elif not name.startswith("meshlib/") and name not in PUBLIC_ABSL:
        yield f'{where}: public header includes "{name}"'
    elif name.startswith("meshlib/xds/"):
        yield f'{where}: public header includes the message "{name}"'


def check_public(root, path):
    for number, line in enumerate(path.read_text().splitlines(), 1):
        where = f"{path.relative_to(root)}:{number}"
        match = INCLUDE.match(line)
        if match:
            yield from check_public_include(where, *match.groups())
            continue
        code = strip_comments(line)
        foreign = FOREIGN_NAMESPACE.search(code)
        if foreign:
            yield (f"{where}: public header names "
                   f'"{foreign.group(0).strip()}" of another library')
        for name in re.findall(r"\babsl::(\w+)", code):
            if not PUBLIC_ABSL_NAME.match(name):
                yield f"{where}: public header names absl::{name}"


def check(root):
    """All problems of the checkout at root, in order."""
    problems = []
    for folder in sorted(p for p in (root / "src").iterdir() if p.is_dir()):
        layer = folder.name
        if layer not in LEVEL:
            problems.append(f"src/{layer}: not in the table of layers")
            continue
        for path in sorted(folder.rglob("*")):
            if path.suffix in (".h", ".cc", ".inc"):
                problems += check_source(root, path, layer)
            elif path.name == "CMakeLists.txt":
                problems += check_cmake(root, path, layer)
    include = root / "include" / "meshlib"
    for path in sorted(include.rglob("*.h")):
        # The gRPC adapter's headers exist to name gRPC's types.
        if path.relative_to(include).parts[0] != "grpc":
            problems += check_public(root, path)
    return problems


# file, text, what the problem must say ("" for none)
PLANTED = (
    ("src/lb/a.h", '#include "mesh/mesh.h"\n', "upward edge: lb"),
    ("src/lb/b.cc", '#include "routing/route.h"\n', "sibling edge: lb"),
    ("src/base/a.h", '#include "model/host.h"\n', "upward edge: base"),
    ("src/base/b.h", '#include "meshlib/xds/a/b.pb.h"\n', "sibling edge"),
    ("src/security/a.h", '#include "net/socket.h"\n', "sibling edge"),
    ("src/net/a.h", '#include "security/tls.h"\n', ""),
    ("src/lb/c.h", '#include "model/host.h"\n#include <vector>\n', ""),
    ("src/lb/d.h", '#include "absl/status/status.h"\n', ""),
    ("src/lb/e.h", '#include "sibling.h"\n', "not written from src/"),
    ("src/util/a.h", "", "not in the table of layers"),
    ("src/lb/CMakeLists.txt", "meshlib_module(lb DEPS meshlib_mesh)\n",
     "upward edge: lb"),
    ("src/xds/CMakeLists.txt", "meshlib_module(xds DEPS meshlib_proto)\n", ""),
    ("include/meshlib/a.h", "#include <yaml-cpp/yaml.h>\n", "not a standard"),
    ("include/meshlib/b.h", '#include "lb/edf.h"\n', "public header includes"),
    ("include/meshlib/c.h", '#include "absl/strings/str_cat.h"\n',
     "public header includes"),
    ("include/meshlib/d.h", "namespace google::protobuf { class Message; }\n",
     "public header names"),
    ("include/meshlib/e.h", "absl::Mutex mutex;\n", "names absl::Mutex"),
    ("include/meshlib/f.h",
     '#include <string_view>\n#include "absl/time/time.h"\n'
     '#include "meshlib/clock.h"\nabsl::Time Now();  // YAML::Node\n', ""),
    ("include/meshlib/grpc/a.h", "#include <grpcpp/channel.h>\n", ""),
)


if __name__ == "__main__":
    sys.exit(checks.main("layers", __doc__, sys.argv[1:], check, PLANTED))
