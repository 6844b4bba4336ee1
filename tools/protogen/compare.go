package main

import (
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"
)

// compile runs protoc on every .proto file below dir.
func compile(protoc, dir string) (*descriptorpb.FileDescriptorSet, error) {
	var args []string
	err := filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() && filepath.Ext(p) == ".proto" {
			args = append(args, p)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	tmp, err := os.CreateTemp("", "protogen*.pb")
	if err != nil {
		return nil, err
	}
	defer os.Remove(tmp.Name())
	defer tmp.Close()
	args = append([]string{"-I" + dir, "--include_imports", "--descriptor_set_out=" + tmp.Name()}, args...)
	if out, err := exec.Command(protoc, args...).CombinedOutput(); err != nil {
		return nil, fmt.Errorf("%s: %w\n%s", protoc, err, out)
	}
	b, err := os.ReadFile(tmp.Name())
	if err != nil {
		return nil, err
	}
	set := &descriptorpb.FileDescriptorSet{}
	return set, proto.Unmarshal(b, set)
}

// compare lists how the copies in set differ from the originals: names,
// numbers, types, labels, oneofs, presence and enum values.
func compare(set *descriptorpb.FileDescriptorSet, originals files) ([]string, error) {
	reg, err := protodesc.NewFiles(set)
	if err != nil {
		return nil, err
	}
	c := &comparer{originals: originals}
	reg.RangeFiles(func(fd protoreflect.FileDescriptor) bool {
		if fd.Package() != "google.protobuf" {
			c.container(fd)
		}
		return true
	})
	return c.bad, nil
}

type comparer struct {
	originals files
	bad       []string
}

func (c *comparer) say(d protoreflect.Descriptor, format string, a ...any) {
	c.bad = append(c.bad, fmt.Sprintf("%s: %s", d.FullName(), fmt.Sprintf(format, a...)))
}

func originalName(d protoreflect.Descriptor) string {
	return strings.TrimPrefix(string(d.FullName()), packagePrefix)
}

func (c *comparer) container(d interface {
	Messages() protoreflect.MessageDescriptors
	Enums() protoreflect.EnumDescriptors
}) {
	for i := 0; i < d.Enums().Len(); i++ {
		e := d.Enums().Get(i)
		o, _ := c.originals.FindDescriptorByName(protoreflect.FullName(originalName(e)))
		if r, ok := o.(protoreflect.EnumDescriptor); ok {
			c.enum(e, r)
		} else {
			c.say(e, "no original enum")
		}
	}
	for i := 0; i < d.Messages().Len(); i++ {
		m := d.Messages().Get(i)
		if m.IsMapEntry() {
			continue
		}
		o, _ := c.originals.FindDescriptorByName(protoreflect.FullName(originalName(m)))
		if r, ok := o.(protoreflect.MessageDescriptor); ok {
			c.message(m, r)
		} else {
			c.say(m, "no original message")
		}
		c.container(m)
	}
}

func (c *comparer) enum(e, r protoreflect.EnumDescriptor) {
	if e.Values().Len() != r.Values().Len() {
		c.say(e, "%d values, original %d", e.Values().Len(), r.Values().Len())
	}
	for i := 0; i < e.Values().Len(); i++ {
		v := e.Values().Get(i)
		if x := r.Values().ByName(v.Name()); x == nil {
			c.say(v, "no such value")
		} else if x.Number() != v.Number() {
			c.say(v, "number %d, original %d", v.Number(), x.Number())
		}
	}
}

func (c *comparer) message(m, r protoreflect.MessageDescriptor) {
	if m.ParentFile().Path() != pathPrefix+r.ParentFile().Path() {
		c.say(m, "in %s, original in %s", m.ParentFile().Path(), r.ParentFile().Path())
	}
	for i := 0; i < m.Fields().Len(); i++ {
		f := m.Fields().Get(i)
		g := r.Fields().ByName(f.Name())
		if g == nil {
			c.say(f, "no such field in %s", r.FullName())
			continue
		}
		for _, d := range fieldDifferences(f, g) {
			c.say(f, "%s", d)
		}
	}
}

func fieldDifferences(f, g protoreflect.FieldDescriptor) (out []string) {
	same := func(what string, a, b any) {
		if a != b {
			out = append(out, fmt.Sprintf("%s %v, original %v", what, a, b))
		}
	}
	oneof := func(f protoreflect.FieldDescriptor) string {
		if o := realOneof(f); o != nil {
			return string(o.Name())
		}
		return ""
	}
	typ := func(f protoreflect.FieldDescriptor) string {
		if t := fieldType(f); t != nil {
			return originalName(t)
		}
		return ""
	}
	same("number", f.Number(), g.Number())
	same("JSON name", f.JSONName(), g.JSONName())
	same("map", f.IsMap(), g.IsMap())
	if f.IsMap() && g.IsMap() {
		same("key", f.MapKey().Kind(), g.MapKey().Kind())
		same("value", f.MapValue().Kind(), g.MapValue().Kind())
	}
	same("kind", f.Kind(), g.Kind())
	same("label", f.Cardinality(), g.Cardinality())
	same("packed", f.IsPacked(), g.IsPacked())
	same("oneof", oneof(f), oneof(g))
	same("presence", f.HasPresence(), g.HasPresence())
	if !f.IsMap() || typ(f.MapValue()) != "" {
		same("type", typ(f), typ(g))
	}
	return out
}
