package main

import (
	"fmt"
	"math"
	"sort"
	"strconv"

	"github.com/envoyproxy/protoc-gen-validate/validate"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/known/durationpb"
)

// op is one part of a field's rules: an operator and its operand.
type op struct {
	name             string
	i                int64
	u                *uint64
	f                *float64
	text             *string
	sub              []op
	subBegin, subEnd int
}

func (o op) integer() string {
	if o.u != nil && *o.u > math.MaxInt64 {
		return fmt.Sprintf("static_cast<int64_t>(%dULL)", *o.u)
	}
	if o.u != nil {
		return strconv.FormatUint(*o.u, 10)
	}
	return strconv.FormatInt(o.i, 10)
}

func (o op) real() string {
	if o.f == nil {
		return "0"
	}
	return strconv.FormatFloat(*o.f, 'g', -1, 64)
}

func sortedNumbers(m map[protoreflect.FieldNumber]protoreflect.FieldDescriptor) []protoreflect.FieldNumber {
	var out []protoreflect.FieldNumber
	for n := range m {
		out = append(out, n)
	}
	sort.Slice(out, func(i, j int) bool { return out[i] < out[j] })
	return out
}

// fieldRules reads the validate.rules of an original field.
func fieldRules(f protoreflect.FieldDescriptor) ([]op, error) {
	opts, _ := f.Options().(*descriptorpb.FieldOptions)
	r := proto.GetExtension(opts, validate.E_Rules).(*validate.FieldRules)
	if r == nil {
		return nil, nil
	}
	if r.GetRepeated().GetUnique() && f.Message() != nil {
		return nil, fmt.Errorf("unique messages are not supported")
	}
	return rules(r)
}

func rules(r *validate.FieldRules) ([]op, error) {
	var out []op
	if m := r.GetMessage(); m != nil {
		if m.GetRequired() {
			out = append(out, op{name: "kRequired"})
		}
		if m.GetSkip() {
			out = append(out, op{name: "kSkip"})
		}
	}
	d := r.ProtoReflect().Descriptor().Oneofs().ByName("type")
	set := r.ProtoReflect().WhichOneof(d)
	if set == nil {
		return out, nil
	}
	of := r.ProtoReflect().Get(set).Message()
	strict := true
	if s := r.GetString_(); s != nil {
		strict = s.GetStrict()
	}
	// In the order of field numbers, which reflection's Range does not keep.
	present := map[protoreflect.FieldNumber]protoreflect.FieldDescriptor{}
	of.Range(func(f protoreflect.FieldDescriptor, _ protoreflect.Value) bool {
		present[f.Number()] = f
		return true
	})
	for _, n := range sortedNumbers(present) {
		more, err := rule(set.Name(), present[n], of.Get(present[n]), strict)
		if err != nil {
			return nil, fmt.Errorf("rule %s.%s: %w", set.Name(), present[n].Name(), err)
		}
		out = append(out, more...)
	}
	return out, crossed(out)
}

// names of the rules that are an operator with one operand (or a list of them).
var operand = map[protoreflect.Name]string{
	"const": "kConst", "lt": "kLt", "lte": "kLte", "gt": "kGt", "gte": "kGte", "in": "kIn", "not_in": "kNotIn",
	"min_len": "kMinLen", "max_len": "kMaxLen", "min_bytes": "kMinBytes", "max_bytes": "kMaxBytes",
	"pattern": "kPattern", "prefix": "kPrefix", "suffix": "kSuffix", "contains": "kContains",
	"min_items": "kMinItems", "max_items": "kMaxItems", "min_pairs": "kMinPairs", "max_pairs": "kMaxPairs",
}

// names of the rules that are switched on by a bool.
var toggle = map[protoreflect.Name]string{
	"defined_only": "kDefinedOnly", "unique": "kUnique", "ignore_empty": "kIgnoreEmpty", "required": "kRequired",
}

func rule(typ protoreflect.Name, f protoreflect.FieldDescriptor, v protoreflect.Value, strict bool) ([]op, error) {
	name := f.Name()
	if name == "strict" {
		return nil, nil
	}
	if name == "well_known_regex" {
		w := map[protoreflect.EnumNumber]string{1: "kHeaderName", 2: "kHeaderValue"}[v.Enum()]
		if w == "" {
			return nil, fmt.Errorf("unknown value %d", v.Enum())
		}
		o := op{name: w}
		if strict {
			o.i = 1
		}
		return []op{o}, nil
	}
	if n, ok := map[protoreflect.Name]string{"items": "kItems", "keys": "kKeys", "values": "kValues"}[name]; ok {
		sub, err := rules(v.Message().Interface().(*validate.FieldRules))
		return []op{{name: n, sub: sub}}, err
	}
	if n, ok := toggle[name]; ok && f.Kind() == protoreflect.BoolKind && !f.IsList() {
		if !v.Bool() {
			return nil, nil
		}
		return []op{{name: n}}, nil
	}
	n, ok := operand[name]
	if !ok || typ == "timestamp" {
		return nil, fmt.Errorf("protogen does not know this rule")
	}
	if !f.IsList() {
		return []op{value(n, f, v)}, nil
	}
	var out []op
	for i := 0; i < v.List().Len(); i++ {
		out = append(out, value(n, f, v.List().Get(i)))
	}
	return out, nil
}

// value is an operator with its operand; durations are in nanoseconds.
func value(n string, f protoreflect.FieldDescriptor, v protoreflect.Value) op {
	o := op{name: n}
	switch x := v.Interface().(type) {
	case bool:
		if x {
			o.i = 1
		}
	case int32:
		o.i = int64(x)
	case int64:
		o.i = x
	case uint32:
		u := uint64(x)
		o.u = &u
	case uint64:
		o.u = &x
	case float32:
		d := float64(x)
		o.f = &d
	case float64:
		o.f = &x
	case string:
		o.text = &x
	case []byte:
		s := string(x)
		o.text = &s
	case protoreflect.Message:
		d := x.Interface().(*durationpb.Duration)
		o.i = d.AsDuration().Nanoseconds()
	}
	return o
}

// crossed refuses a lower bound above the upper one: protoc-gen-validate takes
// that for "outside of", which our checker does not know.
func crossed(ops []op) error {
	lower, upper := math.Inf(-1), math.Inf(1)
	for _, o := range ops {
		v := float64(o.i)
		if o.u != nil {
			v = float64(*o.u)
		} else if o.f != nil {
			v = *o.f
		}
		switch o.name {
		case "kGt", "kGte":
			lower = v
		case "kLt", "kLte":
			upper = v
		}
	}
	if lower > upper {
		return fmt.Errorf("bounds %g and %g are crossed", lower, upper)
	}
	return nil
}
