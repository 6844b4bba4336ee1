package main

import (
	"fmt"
	"sort"
	"strings"

	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
)

// decision is what meshlib does with one field of an original message.
type decision struct {
	list   string // used, kept-ignored, kept-refused, ignored or refused
	reason string
}

// inCopy tells whether the field stands in our copy of the message.
func (d decision) inCopy() bool {
	return d.list == "used" || strings.HasPrefix(d.list, "kept-")
}

// use is used, ignored or refused.
func (d decision) use() string { return strings.TrimPrefix(d.list, "kept-") }

// entry is one message of the ledger.
type entry struct {
	original protoreflect.MessageDescriptor
	fields   map[protoreflect.Name]decision
}

type ledger struct {
	entries map[protoreflect.FullName]*entry
}

// block is one `message` paragraph while it is read.
type block struct {
	line  int
	names []protoreflect.FullName
	named map[protoreflect.Name]decision
	rest  *decision
}

type files interface {
	FindDescriptorByName(protoreflect.FullName) (protoreflect.Descriptor, error)
}

var _ files = (*protoregistry.Files)(nil)

func parseLedger(text string, originals files) (*ledger, error) {
	l := &ledger{entries: map[protoreflect.FullName]*entry{}}
	pkg, current := "", (*block)(nil)
	flush := func() error {
		if current == nil {
			return nil
		}
		b := current
		current = nil
		return l.add(b, originals)
	}
	for i, line := range strings.Split(text, "\n") {
		n := i + 1
		if before, _, found := strings.Cut(line, "#"); found {
			line = before
		}
		words := strings.Fields(line)
		if len(words) == 0 {
			continue
		}
		var err error
		switch words[0] {
		case "package":
			if err = flush(); err == nil && len(words) != 2 {
				err = fmt.Errorf("line %d: want `package NAME`", n)
			} else if err == nil {
				pkg = words[1]
			}
		case "message":
			if err = flush(); err == nil {
				current = &block{line: n, named: map[protoreflect.Name]decision{}}
				for _, w := range words[1:] {
					current.names = append(current.names, protoreflect.FullName(pkg+"."+w))
				}
			}
		default:
			if current == nil {
				return nil, fmt.Errorf("line %d: %q stands outside a message", n, words[0])
			}
			err = current.list(n, line)
		}
		if err != nil {
			return nil, err
		}
	}
	return l, flush()
}

// list reads a line such as `refused: a b -- reason`.
func (b *block) list(n int, line string) error {
	line, reason, _ := strings.Cut(line, " -- ")
	word, rest, found := strings.Cut(strings.TrimSpace(line), ":")
	if !found {
		return fmt.Errorf("line %d: want `LIST: fields`", n)
	}
	switch word {
	case "used", "kept-ignored", "kept-refused", "ignored", "refused":
	default:
		return fmt.Errorf("line %d: unknown list %q", n, word)
	}
	d := decision{word, strings.TrimSpace(reason)}
	if d.use() == "refused" && d.reason == "" {
		return fmt.Errorf("line %d: a refused field wants a reason (-- text)", n)
	}
	for _, f := range strings.Fields(rest) {
		if f == "*" {
			if b.rest != nil {
				return fmt.Errorf("line %d: a second *", n)
			}
			b.rest = &d
			continue
		}
		if _, twice := b.named[protoreflect.Name(f)]; twice {
			return fmt.Errorf("line %d: field %s is listed twice", n, f)
		}
		b.named[protoreflect.Name(f)] = d
	}
	return nil
}

// add gives each field of each message of the block its decision.
func (l *ledger) add(b *block, originals files) error {
	for _, name := range b.names {
		d, err := originals.FindDescriptorByName(name)
		if err != nil {
			return fmt.Errorf("line %d: no linked message %s (is its package in descriptors.go?)", b.line, name)
		}
		m, ok := d.(protoreflect.MessageDescriptor)
		if !ok {
			return fmt.Errorf("line %d: %s is not a message", b.line, name)
		}
		if l.entries[name] != nil {
			return fmt.Errorf("line %d: %s stands twice in the ledger", b.line, name)
		}
		e := &entry{m, map[protoreflect.Name]decision{}}
		for i := 0; i < m.Fields().Len(); i++ {
			f := m.Fields().Get(i).Name()
			if d, ok := b.named[f]; ok {
				e.fields[f] = d
			} else if b.rest != nil {
				e.fields[f] = *b.rest
			} else {
				return fmt.Errorf("line %d: %s.%s is in no list", b.line, name, f)
			}
		}
		for f := range b.named {
			if m.Fields().ByName(f) == nil {
				return fmt.Errorf("line %d: %s has no field %s", b.line, name, f)
			}
		}
		l.entries[name] = e
	}
	return nil
}

// fieldType is the message or enum that a field (or a map's value) holds.
func fieldType(f protoreflect.FieldDescriptor) protoreflect.Descriptor {
	if f.IsMap() {
		f = f.MapValue()
	}
	if m := f.Message(); m != nil {
		return m
	}
	if e := f.Enum(); e != nil {
		return e
	}
	return nil
}

// wellKnown types are used as protobuf ships them.
func wellKnown(d protoreflect.Descriptor) bool {
	return d.ParentFile().Package() == "google.protobuf"
}

// checkClosed reports every field in a copy whose type has no copy, and every
// nested message whose parent has none.
func (l *ledger) checkClosed() error {
	var bad []string
	for _, e := range l.sorted() {
		if p, ok := e.original.Parent().(protoreflect.MessageDescriptor); ok && l.entries[p.FullName()] == nil {
			bad = append(bad, fmt.Sprintf("%s: its parent %s is not in the ledger", e.original.FullName(), p.FullName()))
		}
		for _, f := range e.kept() {
			t := fieldType(f)
			if t == nil || wellKnown(t) {
				continue
			}
			owner := t
			if _, isEnum := t.(protoreflect.EnumDescriptor); isEnum {
				parent, nested := t.Parent().(protoreflect.MessageDescriptor)
				if !nested {
					continue
				}
				owner = parent
			}
			if l.entries[owner.FullName()] == nil {
				bad = append(bad, fmt.Sprintf("%s is used, but its type %s is not in the ledger: add the message, or list the field as ignored or refused", f.FullName(), owner.FullName()))
			}
		}
	}
	if bad != nil {
		return fmt.Errorf("%s", strings.Join(bad, "\n"))
	}
	return nil
}

// sorted is all entries by name.
func (l *ledger) sorted() []*entry {
	out := make([]*entry, 0, len(l.entries))
	for _, e := range l.entries {
		out = append(out, e)
	}
	sort.Slice(out, func(i, j int) bool { return out[i].original.FullName() < out[j].original.FullName() })
	return out
}

// kept is the fields that stand in the copy, in the original's order.
func (e *entry) kept() (out []protoreflect.FieldDescriptor) {
	for i := 0; i < e.original.Fields().Len(); i++ {
		if f := e.original.Fields().Get(i); e.fields[f.Name()].inCopy() {
			out = append(out, f)
		}
	}
	return out
}
