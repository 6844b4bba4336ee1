package main

import (
	"bytes"
	"fmt"
	"strings"

	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"

	"github.com/envoyproxy/protoc-gen-validate/validate"
	"google.golang.org/protobuf/proto"
)

// tables collects the rows of ledger_data.inc.
type tables struct {
	messages, fields, oneofs, ops []string
}

// cString is a C++ string literal; every byte outside plain ASCII is octal.
func cString(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '"' || c == '\\':
			b.WriteByte('\\')
			b.WriteByte(c)
		case c < 0x20 || c > 0x7e || c == '?':
			fmt.Fprintf(&b, "\\%03o", c)
		default:
			b.WriteByte(c)
		}
	}
	b.WriteByte('"')
	return b.String()
}

func (t *tables) addOps(ops []op) (begin, end int, err error) {
	// Rules of items, keys and values come first: a row points at their range.
	for i := range ops {
		if ops[i].sub == nil {
			continue
		}
		if ops[i].subBegin, ops[i].subEnd, err = t.addOps(ops[i].sub); err != nil {
			return
		}
	}
	begin = len(t.ops)
	for _, o := range ops {
		text := "{}"
		if o.text != nil {
			text = fmt.Sprintf("std::string_view(%s, %d)", cString(*o.text), len(*o.text))
		}
		t.ops = append(t.ops, fmt.Sprintf("{RuleOp::%s, %s, %s, %s, %d, %d},", o.name, o.integer(), o.real(), text, o.subBegin, o.subEnd))
	}
	return begin, len(t.ops), nil
}

func kind(f protoreflect.FieldDescriptor) string {
	m, isMessage := fieldType(f).(protoreflect.MessageDescriptor)
	switch {
	case !isMessage:
		return "FieldKind::kScalar"
	case m.FullName() == "google.protobuf.Any":
		return "FieldKind::kAny"
	}
	return "FieldKind::kMessage"
}

func (t *tables) addField(e *entry, f protoreflect.FieldDescriptor) error {
	d := e.fields[f.Name()]
	begin, end := 0, 0
	if d.inCopy() {
		ops, err := fieldRules(f)
		if err == nil {
			begin, end, err = t.addOps(ops)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", f.FullName(), err)
		}
	}
	flags := []string{}
	if d.inCopy() {
		flags = append(flags, "kInCopy")
	}
	if f.IsList() {
		flags = append(flags, "kRepeated")
	}
	if f.IsMap() {
		flags = append(flags, "kMap")
	}
	if f.Options().(*descriptorpb.FieldOptions).GetDeprecated() {
		flags = append(flags, "kDeprecated")
	}
	if len(flags) == 0 {
		flags = []string{"0"}
	}
	oneof := -1
	if o := realOneof(f); o != nil {
		oneof = o.Index()
	}
	use := map[string]string{"used": "kUsed", "ignored": "kIgnored", "refused": "kRefused"}[d.use()]
	t.fields = append(t.fields, fmt.Sprintf("{%d, %d, %d, %d, FieldUse::%s, %s, %s, %s, %s},",
		f.Number(), oneof, begin, end, use, kind(f), strings.Join(flags, " | "), cString(string(f.Name())), cString(d.reason)))
	return nil
}

func (t *tables) addMessage(e *entry) error {
	m := e.original
	opts, _ := m.Options().(*descriptorpb.MessageOptions)
	if proto.GetExtension(opts, validate.E_Disabled).(bool) || proto.GetExtension(opts, validate.E_Ignored).(bool) {
		return fmt.Errorf("%s: validate.disabled and validate.ignored are not supported", m.FullName())
	}
	fields, oneofs := len(t.fields), len(t.oneofs)
	byNumber := map[protoreflect.FieldNumber]protoreflect.FieldDescriptor{}
	for i := 0; i < m.Fields().Len(); i++ {
		byNumber[m.Fields().Get(i).Number()] = m.Fields().Get(i)
	}
	for _, n := range sortedNumbers(byNumber) {
		if err := t.addField(e, byNumber[n]); err != nil {
			return err
		}
	}
	for i := 0; i < m.Oneofs().Len(); i++ {
		o := m.Oneofs().Get(i)
		if o.IsSynthetic() {
			continue // always after the real ones
		}
		opts, _ := o.Options().(*descriptorpb.OneofOptions)
		required := proto.GetExtension(opts, validate.E_Required).(bool)
		t.oneofs = append(t.oneofs, fmt.Sprintf("{%s, %t},", cString(string(o.Name())), required))
	}
	t.messages = append(t.messages, fmt.Sprintf("{%s, %d, %d, %d, %d},", cString(string(m.FullName())), fields, len(t.fields), oneofs, len(t.oneofs)))
	return nil
}

func (l *ledger) writeData(out map[string][]byte) error {
	t := &tables{}
	for _, e := range l.sorted() {
		if err := t.addMessage(e); err != nil {
			return err
		}
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, "// %s\n// Rows are explained in ledger.h.\n", marker)
	table := func(typ, name string, rows []string) {
		fmt.Fprintf(&b, "\nconstexpr %s %s[] = {\n    %s\n};\n", typ, name, strings.Join(rows, "\n    "))
	}
	table("RuleRow", "kRuleRows", t.ops)
	table("OneofRow", "kOneofRows", t.oneofs)
	table("FieldRow", "kFieldRows", t.fields)
	table("MessageRow", "kMessageRows", t.messages)
	out["ledger_data.inc"] = b.Bytes()

	l.writeFileTables(out)
	return nil
}

// writeFileTables writes what depends on the list of files: that of CMake, the
// includes, and tables of functions in the generated code.
func (l *ledger) writeFileTables(out map[string][]byte) {
	var cmake, headers, refs, maps bytes.Buffer
	for _, f := range l.selectFiles() {
		fmt.Fprintf(&cmake, "  %s\n", f.path())
		fmt.Fprintf(&headers, "#include \"%s\"\n", strings.TrimSuffix(f.path(), ".proto")+".pb.h")
		if s := l.link(f); s != "" {
			fmt.Fprintf(&refs, "    %s,\n", s)
		}
	}
	for _, e := range l.sorted() {
		for _, f := range e.kept() {
			if f.IsMap() {
				fmt.Fprintf(&maps, "    {%s, %d, &Walk<&%s::%s>},\n", cString(string(e.original.FullName())), f.Number(), cppName(e.original), f.Name())
			}
		}
	}
	out["files.cmake"] = []byte("# " + marker + "\nset(MESHLIB_PROTO_FILES\n" + cmake.String() + ")\n")
	out["generated_headers.inc"] = []byte("// " + marker + "\n\n" + headers.String())
	out["generated_files.inc"] = []byte("// " + marker +
		"\n\nconstexpr FileReference kFileReferences[] = {\n" + refs.String() +
		"};\n\nconstexpr MapFieldRow kMapFields[] = {\n" + maps.String() + "};\n")
}

// link names a function of the generated file, so that a linker keeps it.
func (l *ledger) link(f *protoFile) string {
	for i := 0; i < f.original.Messages().Len(); i++ {
		if m := f.original.Messages().Get(i); l.entries[m.FullName()] != nil {
			return fmt.Sprintf("{&%s::descriptor, nullptr}", cppName(m))
		}
	}
	for i := 0; i < f.original.Enums().Len(); i++ {
		if e := f.original.Enums().Get(i); f.enums[e.FullName()] {
			return fmt.Sprintf("{nullptr, &%s_descriptor}", cppName(e))
		}
	}
	return ""
}
