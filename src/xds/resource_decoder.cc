#include "xds/resource_decoder.h"

#include <limits>
#include <set>
#include <utility>
#include <variant>

#include "absl/strings/str_cat.h"
#include "base/strings.h"
#include "meshlib/xds/envoy/service/discovery/v3/discovery.pb.h"
#include "proto/ledger.h"
#include "xds/convert_values.h"
#include "xds/field_use.h"

namespace meshlib::xds {
namespace {

using envoy::service::discovery::v3::Resource;
using ::google::protobuf::Message;

// Of one resource; a hostile one could have a problem in every byte.
constexpr size_t kMaxProblems = FieldErrors::kLimit;

void Add(DecodedResource& out, Severity severity, ProblemKind kind,
         std::string path, std::string message) {
  // Errors decide, so they are never crowded out.
  if (out.problems.size() >= kMaxProblems &&
      (severity != Severity::kError || !out.ok())) {
    return;
  }
  out.problems.push_back({severity, kind, std::move(path), std::move(message)});
}

void AddError(DecodedResource& out, std::string path, std::string message) {
  Add(out, Severity::kError, ProblemKind::kInvalid, std::move(path),
      std::move(message));
}

bool Parse(std::string_view bytes, Message& message, DecodedResource& out) {
  if (bytes.size() <= std::numeric_limits<int>::max() &&
      message.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) {
    return true;
  }
  AddError(
      out, "",
      absl::StrCat("the bytes are not a valid ",
                   base::ToAbsl(OriginalNameOf(*message.GetDescriptor()))));
  return false;
}

std::string_view NameInUrl(std::string_view url) {
  return url.substr(url.rfind('/') + 1);
}

}  // namespace

bool DecodedResource::ok() const {
  for (const FieldProblem& problem : problems) {
    if (problem.severity == Severity::kError) return false;
  }
  return true;
}

std::string DecodedResource::ErrorText() const {
  std::string out;
  for (const FieldProblem& problem : problems) {
    if (problem.severity != Severity::kError) continue;
    if (!out.empty()) out += '\n';
    if (!problem.path.empty()) absl::StrAppend(&out, problem.path, ": ");
    out += problem.message;
  }
  return out;
}

DecodedResource ResourceDecoder::Decode(const std::string& type_url,
                                        std::string_view bytes) {
  DecodedResource out;
  if (NameInUrl(type_url) == OriginalNameOf(*Resource::descriptor())) {
    FillWrapped("", bytes, out);
  } else {
    Fill(type_url, bytes, out);
  }
  return out;
}

DecodedResource ResourceDecoder::DecodeDelta(const std::string& type_url,
                                             std::string_view bytes) {
  DecodedResource out;
  FillWrapped(type_url, bytes, out);
  return out;
}

// `type_url` is empty if any type will do.
void ResourceDecoder::FillWrapped(const std::string& type_url,
                                  std::string_view bytes,
                                  DecodedResource& out) {
  Resource envelope;
  if (!Parse(bytes, envelope, out)) return;
  out.name = envelope.name();
  out.version = envelope.version();
  if (!envelope.has_resource()) {
    out.heartbeat = true;
    return;
  }
  const std::string& url = envelope.resource().type_url();
  if (!type_url.empty() && NameInUrl(url) != NameInUrl(type_url)) {
    return AddError(out, "",
                    absl::StrCat("has the type ", Quoted(url), ", want ",
                                 Quoted(type_url)));
  }
  Fill(url, envelope.resource().value(), out);
}

void ResourceDecoder::Fill(const std::string& type_url, std::string_view bytes,
                           DecodedResource& out) {
  const Message* prototype = IsResourceType(NameInUrl(type_url))
                                 ? types_.Prototype(type_url)
                                 : nullptr;
  if (prototype == nullptr) {
    return AddError(
        out, "",
        absl::StrCat(Quoted(type_url), " is not the URL of a resource type"));
  }
  std::unique_ptr<Message> message(prototype->New());
  if (!Parse(bytes, *message, out)) return;
  out.message = std::move(message);
  if (out.name.empty()) out.name = ResourceNameOf(*out.message);
  CheckFields(out);
  CheckRules(out);
  Convert(out);
}

void ResourceDecoder::CheckFields(DecodedResource& out) {
  for (auto& field : fields_.Find(*out.message)) {
    if (field.use == proto::FieldUse::kRefused) {
      AddError(out, std::move(field.path), RefusedField(field.reason));
    } else {
      Add(out, Severity::kNote, ProblemKind::kUnsupported,
          std::move(field.path),
          IgnoredField(field.message, field.name, field.reason));
    }
  }
}

void ResourceDecoder::CheckRules(DecodedResource& out) {
  rules_.Check(*out.message, [&out](const proto::RuleProblem& problem) {
    AddError(out, problem.path, problem.message);
  });
}

// One error for a field is enough: what the rules said is not said again.
void ResourceDecoder::Convert(DecodedResource& out) {
  std::set<std::string> told;
  for (const FieldProblem& problem : out.problems) {
    if (problem.severity == Severity::kError) told.insert(problem.path);
  }
  FieldErrors errors;
  out.value = ConvertResource(*out.message, errors, out.deferred, options_);
  for (const FieldProblem& problem : errors.problems()) {
    if (told.count(problem.path) > 0) continue;
    Add(out, problem.severity, problem.kind, problem.path, problem.message);
  }
  if (!out.ok()) {
    std::visit([](auto& value) { value = {}; }, out.value);
  }
}

}  // namespace meshlib::xds
