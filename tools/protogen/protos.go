package main

import (
	"bytes"
	"fmt"
	"sort"
	"strings"

	"google.golang.org/protobuf/reflect/protoreflect"
)

const (
	packagePrefix = "meshlib.xds."
	pathPrefix    = "meshlib/xds/"
)

// protoFile is one file of copies: the selected part of an original file.
type protoFile struct {
	original protoreflect.FileDescriptor
	enums    map[protoreflect.FullName]bool
	imports  map[string]bool
}

func (f *protoFile) path() string { return pathPrefix + f.original.Path() }

// selectFiles finds the files, the enums they define and their imports.
func (l *ledger) selectFiles() []*protoFile {
	byPath := map[string]*protoFile{}
	file := func(d protoreflect.Descriptor) *protoFile {
		fd := d.ParentFile()
		if byPath[fd.Path()] == nil {
			byPath[fd.Path()] = &protoFile{fd, map[protoreflect.FullName]bool{}, map[string]bool{}}
		}
		return byPath[fd.Path()]
	}
	for _, e := range l.sorted() {
		from := file(e.original)
		for _, f := range e.kept() {
			t := fieldType(f)
			if t == nil {
				continue
			}
			if wellKnown(t) {
				from.imports[t.ParentFile().Path()] = true
				continue
			}
			to := file(t)
			if _, ok := t.(protoreflect.EnumDescriptor); ok {
				to.enums[t.FullName()] = true
			}
			if to != from {
				from.imports[to.path()] = true
			}
		}
	}
	out := make([]*protoFile, 0, len(byPath))
	for _, f := range byPath {
		out = append(out, f)
	}
	sort.Slice(out, func(i, j int) bool { return out[i].original.Path() < out[j].original.Path() })
	return out
}

// copyName is the name of a type in our files, with the leading dot that keeps
// protoc from looking for it in enclosing packages first.
func copyName(d protoreflect.Descriptor) string {
	if wellKnown(d) {
		return "." + string(d.FullName())
	}
	return "." + packagePrefix + string(d.FullName())
}

func (l *ledger) writeProtos(out map[string][]byte) {
	for _, f := range l.selectFiles() {
		var b bytes.Buffer
		fmt.Fprintf(&b, "// %s\nsyntax = \"proto3\";\n\npackage %s%s;\n", marker, packagePrefix, f.original.Package())
		var imports []string
		for i := range f.imports {
			imports = append(imports, i)
		}
		sort.Strings(imports)
		for i, s := range imports {
			if i == 0 {
				b.WriteString("\n")
			}
			fmt.Fprintf(&b, "import %q;\n", s)
		}
		b.WriteString("\noption optimize_for = SPEED;\n")
		l.writeEnums(&b, f, f.original.Enums(), "")
		l.writeMessages(&b, f, f.original.Messages(), "")
		out[f.path()] = b.Bytes()
	}
}

func (l *ledger) writeEnums(b *bytes.Buffer, f *protoFile, es protoreflect.EnumDescriptors, indent string) {
	for i := 0; i < es.Len(); i++ {
		e := es.Get(i)
		if !f.enums[e.FullName()] {
			continue
		}
		fmt.Fprintf(b, "\n%senum %s {\n", indent, e.Name())
		numbers, alias := map[protoreflect.EnumNumber]bool{}, false
		for j := 0; j < e.Values().Len(); j++ {
			alias = alias || numbers[e.Values().Get(j).Number()]
			numbers[e.Values().Get(j).Number()] = true
		}
		if alias {
			fmt.Fprintf(b, "%s  option allow_alias = true;\n", indent)
		}
		for j := 0; j < e.Values().Len(); j++ {
			v := e.Values().Get(j)
			fmt.Fprintf(b, "%s  %s = %d;\n", indent, v.Name(), v.Number())
		}
		fmt.Fprintf(b, "%s}\n", indent)
	}
}

func (l *ledger) writeMessages(b *bytes.Buffer, f *protoFile, ms protoreflect.MessageDescriptors, indent string) {
	for i := 0; i < ms.Len(); i++ {
		m := ms.Get(i)
		e := l.entries[m.FullName()]
		if e == nil || m.IsMapEntry() {
			continue
		}
		fmt.Fprintf(b, "\n%smessage %s {", indent, m.Name())
		start := b.Len()
		l.writeEnums(b, f, m.Enums(), indent+"  ")
		l.writeMessages(b, f, m.Messages(), indent+"  ")
		writeFields(b, e, indent+"  ")
		if b.Len() == start {
			b.WriteString("}\n")
		} else {
			fmt.Fprintf(b, "%s}\n", indent)
		}
	}
}

func writeFields(b *bytes.Buffer, e *entry, indent string) {
	done := map[protoreflect.Name]bool{}
	separate := "\n"
	for _, f := range e.kept() {
		o := realOneof(f)
		if o == nil {
			b.WriteString(separate)
			separate = ""
			writeField(b, f, indent)
			continue
		}
		if done[o.Name()] {
			continue
		}
		done[o.Name()] = true
		fmt.Fprintf(b, "\n%soneof %s {\n", indent, o.Name())
		for _, g := range e.kept() {
			if realOneof(g) == o {
				writeField(b, g, indent+"  ")
			}
		}
		fmt.Fprintf(b, "%s}\n", indent)
		separate = "\n"
	}
}

// realOneof is the oneof that a field stands in; nil for proto3 optional.
func realOneof(f protoreflect.FieldDescriptor) protoreflect.OneofDescriptor {
	if o := f.ContainingOneof(); o != nil && !o.IsSynthetic() {
		return o
	}
	return nil
}

func writeField(b *bytes.Buffer, f protoreflect.FieldDescriptor, indent string) {
	label, options := "", ""
	typeName := func(f protoreflect.FieldDescriptor) string {
		if t := fieldType(f); t != nil {
			return copyName(t)
		}
		return f.Kind().String()
	}
	name := typeName(f)
	switch {
	case f.IsMap():
		name = fmt.Sprintf("map<%s, %s>", f.MapKey().Kind(), typeName(f.MapValue()))
	case f.IsList():
		label = "repeated "
		if !f.IsPacked() && packable(f.Kind()) {
			options = " [packed = false]"
		}
	case f.HasOptionalKeyword():
		label = "optional "
	}
	fmt.Fprintf(b, "%s%s%s %s = %d%s;\n", indent, label, name, f.Name(), f.Number(), options)
}

func packable(k protoreflect.Kind) bool {
	switch k {
	case protoreflect.StringKind, protoreflect.BytesKind, protoreflect.MessageKind, protoreflect.GroupKind:
		return false
	}
	return true
}

// cppName is the C++ name of the copy of a message or enum.
func cppName(d protoreflect.Descriptor) string {
	pkg := string(d.ParentFile().Package())
	nested := strings.TrimPrefix(string(d.FullName()), pkg+".")
	return "::" + strings.ReplaceAll(packagePrefix+pkg, ".", "::") + "::" + strings.ReplaceAll(nested, ".", "_")
}
