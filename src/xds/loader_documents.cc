#include "xds/loader_documents.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "base/strings.h"
#include "meshlib/xds/envoy/config/bootstrap/v3/bootstrap.pb.h"
#include "meshlib/xds/envoy/config/listener/v3/listener.pb.h"
#include "proto/ledger.h"
#include "xds/convert_resource.h"

namespace meshlib::xds {
namespace {

using ::google::protobuf::Message;
using ::meshlib::xds::envoy::config::bootstrap::v3::Bootstrap;
using ::meshlib::xds::envoy::config::listener::v3::Listener;
using StaticResources =
    ::meshlib::xds::envoy::config::bootstrap::v3::Bootstrap::StaticResources;

template <size_t N>
bool IsOneOf(std::string_view name, const std::string_view (&names)[N]) {
  for (const std::string_view candidate : names) {
    if (name == candidate) return true;
  }
  return false;
}

// Keys that only gRPC's bootstrap has.
constexpr std::string_view kGrpcKeys[] = {
    "xds_servers", "authorities", "certificate_providers",
    "client_default_listener_resource_name_template",
    "server_listener_resource_name_template"};

// What else a DiscoveryResponse or DeltaDiscoveryResponse has.
constexpr std::string_view kEnvelopeKeys[] = {"resources",
                                              "version_info",
                                              "versionInfo",
                                              "type_url",
                                              "typeUrl",
                                              "nonce",
                                              "canary",
                                              "control_plane",
                                              "controlPlane",
                                              "resource_errors",
                                              "resourceErrors",
                                              "system_version_info",
                                              "systemVersionInfo",
                                              "removed_resources",
                                              "removedResources",
                                              "removed_resource_names",
                                              "removedResourceNames"};

// First keys of resources that a document without "@type" may show.
constexpr std::string_view kResourceKeys[] = {
    "name",          "cluster_name",    "virtual_hosts",
    "filter_chains", "load_assignment", "endpoints",
    "api_listener"};

constexpr size_t kMaxUndecided = 1000000;

bool IsBootstrapKey(std::string_view key) {
  const proto::MessageRow* row = proto::FindMessage(*Bootstrap::descriptor());
  return row != nullptr && row->FindByName(key) != nullptr;
}

}  // namespace

void ResourceContext::Report(Severity severity, std::string_view relative_path,
                             std::string message, ProblemKind kind) const {
  std::string whole(path);
  const bool bare = relative_path.empty() || relative_path.front() == '[';
  if (!whole.empty() && !bare) whole += '.';
  whole += relative_path;
  const Position at =
      lines != nullptr ? lines->Find(relative_path) : Position{line, 0};
  problems->Add({severity, kind, std::string(file), at.line, at.column,
                 std::move(whole), std::move(message)});
}

Loader::Documents::Documents(ResourceSink& sink, Problems& problems)
    : sink_(sink), problems_(problems), builder_(problems, *this) {
  const auto* lists = StaticResources::descriptor();
  for (int i = 0; i < lists->field_count(); ++i) {
    builder_.StreamField(lists->field(i));
  }
}

Loader::Documents::~Documents() = default;

void Loader::Documents::BeginFile(std::string_view name) {
  file_ = name;
  documents_ = 0;
  builder_.SetFile(file_);
}

void Loader::Documents::EndFile(bool complete) {
  if (complete && documents_ == 0) Error({}, "", "the file is empty");
}

void Loader::Documents::Error(Position at, std::string_view path,
                              std::string message) {
  problems_.AddError(file_, at, path, std::move(message));
}

void Loader::Documents::BeginDocument(Position at) {
  builder_.Abort();
  form_ = Form::kUnknown;
  root_ = Root::kNone;
  legacy_ = false;
  depth_ = 0;
  empty_ = true;
  at_ = at;
  skip_value_ = false;
  skip_depth_ = 0;
  buffer_.Clear();
  has_node_ = false;
  looks_like_resource_ = false;
  envelope_keys_.clear();
}

void Loader::Documents::EndDocument() {
  if (!empty_) ++documents_;
  builder_.Abort();
  buffer_.Clear();
  message_.reset();
}

void Loader::Documents::AbortDocument() { EndDocument(); }

void Loader::Documents::Become(Form form) {
  form_ = form;
  EventBuffer before;
  std::swap(before, buffer_);
  before.Replay(*this);
}

void Loader::Documents::BuildBootstrap() {
  root_ = Root::kBootstrap;
  message_ = std::make_unique<Bootstrap>();
  builder_.ExpectMessage(*message_, "");
  Become(Form::kBuilding);
}

void Loader::Documents::BuildGrpc() {
  root_ = Root::kGrpc;
  fields_.Clear();
  builder_.ExpectStruct(fields_, "");
  Become(Form::kBuilding);
}

// A key of the outermost map, which is in the buffer already.
void Loader::Documents::Decide(std::string_view key) {
  if (key == "@type") {
    builder_.ExpectResource("");
    Become(Form::kBuilding);
  } else if (key == "resources") {
    Become(Form::kEnvelope);
  } else if (key == "envoy") {
    Become(Form::kLegacy);
  } else if (IsOneOf(key, kGrpcKeys)) {
    BuildGrpc();
  } else if (key == "node") {
    has_node_ = true;
  } else if (IsBootstrapKey(key) && !IsOneOf(key, kEnvelopeKeys)) {
    BuildBootstrap();
  } else if (IsOneOf(key, kResourceKeys)) {
    looks_like_resource_ = true;
  }
}

void Loader::Documents::Undecided() {
  if (looks_like_resource_ && !has_node_) {
    form_ = Form::kPassedOver;
    Error(at_, "",
          "no \"@type\", which says what this is; a resource wants one, a "
          "bootstrap wants static_resources");
    return;
  }
  BuildBootstrap();
}

bool Loader::Documents::IsFirst(Position at) {
  if (!empty_) return false;
  empty_ = false;
  at_ = at;
  return true;
}

template <typename Event>
bool Loader::Documents::IsOurs(const Event& event) {
  switch (form_) {
    case Form::kUnknown:
      event(buffer_);
      if (buffer_.size() > kMaxUndecided) Undecided();
      return false;
    case Form::kPassedOver:
      return false;
    case Form::kEnvelope:
    case Form::kLegacy:
      if (builder_.idle()) return true;
      break;
    case Form::kBuilding:
      break;
  }
  event(builder_);
  if (builder_.idle() && root_ != Root::kNone) RootDone();
  return false;
}

void Loader::Documents::BeginMap(Position at) {
  IsFirst(at);
  if (!IsOurs([&](EventSink& sink) { sink.BeginMap(at); })) return;
  if (skip_depth_ > 0 || skip_value_) {
    skip_value_ = false;
    ++skip_depth_;
    return;
  }
  ++depth_;
}

void Loader::Documents::BeginList(Position at) {
  if (IsFirst(at)) {
    builder_.ExpectResources("");
    form_ = Form::kBuilding;
  }
  if (!IsOurs([&](EventSink& sink) { sink.BeginList(at); })) return;
  if (!skip_value_ && skip_depth_ == 0) {
    Error(at, "envoy", "got a list, want a map");
  }
  skip_value_ = false;
  ++skip_depth_;
}

void Loader::Documents::End() {
  if (IsOurs([](EventSink& sink) { sink.End(); })) {
    skip_depth_ > 0 ? --skip_depth_ : --depth_;
  } else if (form_ == Form::kUnknown && buffer_.depth() == 0) {
    Undecided();
  }
}

void Loader::Documents::Key(Position at, std::string_view name) {
  if (IsOurs([&](EventSink& sink) { sink.Key(at, name); })) {
    if (skip_depth_ > 0) return;
    form_ == Form::kEnvelope ? EnvelopeKey(at, name) : LegacyKey(at, name);
  } else if (form_ == Form::kUnknown && buffer_.depth() == 1) {
    Decide(name);
  }
}

void Loader::Documents::EnvelopeKey(Position at, std::string_view name) {
  const bool first = envelope_keys_.insert(std::string(name)).second;
  if (!first) {
    Error(at, "", absl::StrCat("\"", base::Excerpt(name), "\" stands twice"));
  } else if (!IsOneOf(name, kEnvelopeKeys)) {
    Error(at, "",
          absl::StrCat("unknown key \"", base::Excerpt(name),
                       "\" beside \"resources\""));
  }
  if (first && name == "resources") {
    builder_.ExpectResources("resources");
  } else {
    skip_value_ = true;
  }
}

void Loader::Documents::LegacyKey(Position at, std::string_view name) {
  const std::string_view want = depth_ == 1 ? "envoy" : "config";
  if (name != want) {
    Error(at, depth_ == 1 ? "" : "envoy",
          absl::StrCat("unknown key \"", base::Excerpt(name), "\", want \"",
                       base::ToAbsl(want), "\""));
    skip_value_ = true;
    return;
  }
  if (!envelope_keys_.insert(std::string(name)).second) {
    Error(at, "", absl::StrCat("\"", base::Excerpt(name), "\" stands twice"));
    skip_value_ = true;
    return;
  }
  if (depth_ == 1) return;
  problems_.Add({Severity::kWarning, ProblemKind::kOutdated, file_, at.line,
                 at.column, "envoy.config",
                 "this is the form of old Envoy tutorials; write "
                 "static_resources (static_resources.clusters, "
                 "static_resources.listeners)"});
  legacy_ = true;
  root_ = Root::kLegacyResources;
  message_ = std::make_unique<StaticResources>();
  builder_.ExpectMessage(*message_, "envoy.config");
}

void Loader::Documents::Scalar(Position at, ScalarStyle style,
                               std::string_view text) {
  if (IsFirst(at)) {
    form_ = Form::kPassedOver;
    return Error(at, "",
                 absl::StrCat("got ", Show({style, text}),
                              ", want a map or a list of resources"));
  }
  if (!IsOurs([&](EventSink& sink) { sink.Scalar(at, style, text); })) return;
  if (skip_depth_ == 0 && !skip_value_) {
    Error(at, "envoy",
          absl::StrCat("got ", Show({style, text}), ", want a map"));
  }
  skip_value_ = false;
}

void Loader::Documents::Null(Position at) {
  if (empty_) return;  // as after the last "---": no document at all
  if (!IsOurs([&](EventSink& sink) { sink.Null(at); })) return;
  skip_value_ = false;
}

void Loader::Documents::RootDone() {
  const Root root = std::exchange(root_, Root::kNone);
  ResourceContext context;
  context.file = file_;
  context.line = at_.line;
  context.valid = builder_.root_valid();
  context.legacy = legacy_;
  context.lines = &builder_.lines();
  context.problems = &problems_;
  switch (root) {
    case Root::kBootstrap:
      if (!CheckRules(*message_, context)) context.valid = false;
      sink_.OnBootstrap(static_cast<const Bootstrap&>(*message_), context);
      return;
    case Root::kGrpc: {
      GrpcBootstrap bootstrap;
      if (ReadGrpcBootstrap(fields_, file_, builder_.lines(), bootstrap,
                            problems_) &&
          context.valid) {
        sink_.OnGrpcBootstrap(bootstrap, context);
      }
      return;
    }
    case Root::kLegacyResources:
    case Root::kNone:
      return;
  }
}

void Loader::Documents::OnElement(const Message& message,
                                  const ConfigBuilder::Where& where) {
  ResourceContext context;
  context.file = file_;
  context.path = where.path;
  context.line = where.at.line;
  context.valid = where.valid;
  context.legacy = legacy_;
  context.lines = &where.lines;
  context.problems = &problems_;
  if (!CheckRules(message, context)) context.valid = false;
  if (!CheckName(message, context)) context.valid = false;
  if (legacy_) CheckListener(message, context);
  sink_.OnResource(message, context);
}

void Loader::Documents::CheckListener(const Message& message,
                                      const ResourceContext& context) {
  if (message.GetDescriptor() != Listener::descriptor()) return;
  const auto& listener = static_cast<const Listener&>(message);
  if (listener.filter_chains_size() > 0 || listener.has_api_listener()) return;
  context.Report(Severity::kWarning, "",
                 "the listener has no filter_chains and serves nothing");
}

bool Loader::Documents::CheckRules(const Message& message,
                                   const ResourceContext& context) {
  bool valid = true;
  rules_.Check(message, [&](const proto::RuleProblem& problem) {
    valid = false;
    // What is missing because it was wrong has been reported.
    if (context.lines->IsBad(problem.path)) return;
    context.Report(Severity::kError, problem.path, problem.message);
  });
  return valid;
}

bool Loader::Documents::CheckName(const Message& message,
                                  const ResourceContext& context) {
  const auto* type = message.GetDescriptor();
  const std::string name = ResourceNameOf(message);
  if (name.empty()) return true;
  // The path of a resource of its own says nothing: its line does.
  const auto [it, first] =
      names_.try_emplace(absl::StrCat(type->full_name(), "\n", name));
  if (first) {
    it->second = {file_, context.line};
    return true;
  }
  const bool has_name = type->FindFieldByName("name") != nullptr;
  context.Report(Severity::kError, has_name ? "name" : "cluster_name",
                 absl::StrCat("duplicate ", type->name(), " \"",
                              base::Excerpt(name), "\"; the first is in ",
                              it->second.file, ":", it->second.line));
  return false;
}

}  // namespace meshlib::xds
