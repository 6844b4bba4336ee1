#ifndef MESHLIB_MODEL_RUNTIME_H_
#define MESHLIB_MODEL_RUNTIME_H_

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "model/metadata.h"
#include "model/route.h"

namespace meshlib::model {

// A snapshot of Envoy's runtime: keys of the bootstrap's static layers that
// override numbers and fractions of the configuration. Immutable once built,
// so any number of threads may read it.
//
// Values are read as Envoy reads them: nested structs become dotted keys, a
// struct with `numerator` or `denominator` is a fractional percent, strings
// that hold a number or a boolean count as one, and a number is also an
// integer (rounded down) if it is not negative. Everything else is ignored.
class Runtime {
 public:
  Runtime() = default;
  explicit Runtime(const std::map<std::string, Value, std::less<>>& values);

  // The value of `key`, or `fallback` if it is absent, not of that type, or
  // the key is empty.
  uint64_t GetInteger(std::string_view key, uint64_t fallback) const;
  double GetDouble(std::string_view key, double fallback) const;
  bool GetBoolean(std::string_view key, bool fallback) const;

  // The fraction that counts for `config`: the runtime's under its
  // runtime_key, where an integer means percent (above 100: everything), else
  // its own. The answer's runtime_key is empty.
  Fraction GetFraction(const Fraction& config) const;

 private:
  struct Entry {
    std::optional<uint64_t> integer;
    std::optional<double> number;
    std::optional<bool> boolean;
    std::optional<Fraction> fraction;
  };

  void Add(const std::string& key, const Value& value, int depth);
  void AddStruct(const std::string& key, const Value& value, int depth);
  const Entry* Find(std::string_view key) const;

  std::map<std::string, Entry, std::less<>> entries_;
};

// Whether `random` falls into the fraction, as Envoy draws it.
inline bool InFraction(const Fraction& fraction, uint64_t random) {
  return random % fraction.denominator < fraction.numerator;
}

}  // namespace meshlib::model

#endif  // MESHLIB_MODEL_RUNTIME_H_
