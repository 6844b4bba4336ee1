package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"google.golang.org/protobuf/reflect/protoregistry"
)

const protoDir = "../../src/proto"

func protoc(t *testing.T) string {
	t.Helper()
	path, err := exec.LookPath("protoc")
	if err != nil {
		t.Skip("no protoc on this machine")
	}
	return path
}

// TestCommittedFilesAreCurrent is what `go run . -check` does.
func TestCommittedFilesAreCurrent(t *testing.T) {
	bad, err := check(protoDir, protoc(t))
	if err != nil {
		t.Fatal(err)
	}
	for _, b := range bad {
		t.Error(b)
	}
}

// copies writes the generated files to a directory of the test's own.
func copies(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	text, err := os.ReadFile(filepath.Join(protoDir, "ledger.txt"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "ledger.txt"), text, 0o644); err != nil {
		t.Fatal(err)
	}
	files, err := generate(dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := write(dir, files); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestPlantedFaultsAreFound(t *testing.T) {
	p := protoc(t)
	endpoint := pathPrefix + "envoy/config/endpoint/v3/endpoint_components.proto"
	base := pathPrefix + "envoy/config/core/v3/base.proto"
	for _, c := range []struct{ name, file, from, to, want string }{
		{"number", endpoint, "uint32 priority = 5;", "uint32 priority = 50;", "number 50, original 5"},
		{"type", endpoint, "uint32 priority = 5;", "int32 priority = 5;", "kind int32, original uint32"},
		{"name", endpoint, "uint32 priority = 5;", "uint32 prio = 5;", "no such field"},
		{"label", endpoint, "  uint32 priority = 5;", "  repeated uint32 priority = 5;", "label repeated, original optional"},
		{"presence", endpoint, "  uint32 priority = 5;", "  optional uint32 priority = 5;", "presence true, original false"},
		{"message", endpoint, ".google.protobuf.UInt32Value load_balancing_weight = 4;", ".google.protobuf.UInt64Value load_balancing_weight = 4;", "type google.protobuf.UInt64Value"},
		{"oneof", endpoint, "oneof host_identifier", "oneof identifier", "oneof identifier, original host_identifier"},
		{"map", base, "map<string, .google.protobuf.Struct> filter_metadata = 1;", "map<int32, .google.protobuf.Struct> filter_metadata = 1;", "key int32, original string"},
		{"enum", base, "HIGH = 1;", "HIGH = 2;", "number 2, original 1"},
		{"enum value", base, "  HIGH = 1;\n", "", "1 values, original 2"},
		{"extra message", base, "message Locality {", "message Extra {}\nmessage Locality {", "no original message"},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := copies(t)
			path := filepath.Join(dir, c.file)
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if !strings.Contains(string(text), c.from) {
				t.Fatalf("%s has no %q", c.file, c.from)
			}
			if err := os.WriteFile(path, []byte(strings.Replace(string(text), c.from, c.to, 1)), 0o644); err != nil {
				t.Fatal(err)
			}
			set, err := compile(p, dir)
			if err != nil {
				t.Fatal(err)
			}
			bad, err := compare(set, protoregistry.GlobalFiles)
			if err != nil {
				t.Fatal(err)
			}
			if !strings.Contains(strings.Join(bad, "\n"), c.want) {
				t.Errorf("found %q, want %q", bad, c.want)
			}
			bad, err = check(dir, p)
			if err != nil {
				t.Fatal(err)
			}
			if len(bad) < 2 {
				t.Errorf("-check found %q, want the file and the field", bad)
			}
		})
	}
}

func TestCheckFindsMissingAndExtraFiles(t *testing.T) {
	p, dir := protoc(t), copies(t)
	// A file that nothing imports, so that the rest still compiles.
	missing := pathPrefix + "envoy/extensions/clusters/aggregate/v3/cluster.proto"
	if err := os.Remove(filepath.Join(dir, missing)); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "extra.proto"), []byte("syntax = \"proto3\";\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	bad, err := check(dir, p)
	if err != nil {
		t.Fatal(err)
	}
	all := strings.Join(bad, "\n")
	for _, want := range []string{missing + ": missing", "extra.proto: not generated"} {
		if !strings.Contains(all, want) {
			t.Errorf("found %q, want %q", bad, want)
		}
	}
}

func TestBadLedgersAreRefused(t *testing.T) {
	const core = "package envoy.config.core.v3\n"
	for _, c := range []struct{ name, text, want string }{
		{"field in no list", core + "message Locality\n  used: region zone\n", "sub_zone is in no list"},
		{"field in two lists", core + "message Locality\n  used: *\n  used: zone\n  ignored: zone\n", "line 5: field zone is listed twice"},
		{"unknown field", core + "message Locality\n  used: * rack\n", "has no field rack"},
		{"unknown message", core + "message Localty\n  used: *\n", "no linked message envoy.config.core.v3.Localty"},
		{"unknown list", core + "message Locality\n  use: *\n", "unknown list \"use\""},
		{"message twice", core + "message Locality Locality\n  used: *\n", "stands twice"},
		{"two defaults", core + "message Locality\n  used: *\n  ignored: *\n", "a second *"},
		{"refused without a reason", core + "message Locality\n  refused: *\n", "wants a reason"},
		{"list outside a message", core + "  used: *\n", "outside a message"},
		{"type without a copy", core + "message Address\n  used: *\n", "SocketAddress is not in the ledger"},
		{"parent without a copy", core + "message GrpcService.EnvoyGrpc\n  ignored: *\n", "its parent envoy.config.core.v3.GrpcService is not in the ledger"},
	} {
		t.Run(c.name, func(t *testing.T) {
			l, err := parseLedger(c.text, protoregistry.GlobalFiles)
			if err == nil {
				err = l.checkClosed()
			}
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
}

// TestRulesOfUsedFieldsAreKept holds a sample of the rules: one of each kind of
// operand.
func TestRulesOfUsedFieldsAreKept(t *testing.T) {
	files, err := generate(protoDir)
	if err != nil {
		t.Fatal(err)
	}
	data := string(files["ledger_data.inc"])
	for _, want := range []string{
		"{RuleOp::kLte, 65535, 0, {}, 0, 0},",        // SocketAddress.port_value
		"{RuleOp::kLte, 8388608, 0, {}, 0, 0},",      // RingHash.maximum_ring_size
		"{RuleOp::kGte, 1000000, 0, {}, 0, 0},",      // 1 ms, in nanoseconds
		"{\"action\", true},",                        // Route.action
		"std::string_view(\"x-envoy-retry-on\", 16)", // a list of values
	} {
		if !strings.Contains(data, want) {
			t.Errorf("ledger_data.inc has no %s", want)
		}
	}
}
