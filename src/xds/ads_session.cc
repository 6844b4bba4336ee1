#include "xds/ads_session.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/hash.h"
#include "base/strings.h"
#include "meshlib/xds/envoy/service/discovery/v3/discovery.pb.h"
#include "xds/convert_values.h"

namespace meshlib::xds {
namespace {

using envoy::service::discovery::v3::DiscoveryRequest;

// Of a NACK; a control plane logs it.
constexpr size_t kMostErrorBytes = size_t{64} << 10;
// google.rpc.Code
constexpr int kInvalidArgument = 3;
// Before the second NACK of one version; doubled with each.
constexpr absl::Duration kNackPause = absl::Milliseconds(100);
constexpr absl::Duration kNackPauseMax = absl::Seconds(30);

std::string JoinErrors(const std::vector<std::string>& errors) {
  std::string text = absl::StrJoin(errors, "\n");
  if (text.size() > kMostErrorBytes) {
    text.resize(kMostErrorBytes);
    absl::StrAppend(&text, "\n... of ", errors.size(), " errors");
  }
  return text;
}

}  // namespace

AdsSession::AdsSession(AdsOptions options, AdsObserver* observer)
    : options_(std::move(options)),
      observer_(observer),
      decoder_(options_.convert) {}

AdsSession::~AdsSession() = default;

// --- What is wanted ---

void AdsSession::SubscribeToAll(ResourceType type) {
  TypeState& state = Of(type);
  if (state.all) return;
  state.all = state.subscribed = state.dirty = true;
  state.untimed = {""};
}

void AdsSession::Subscribe(ResourceType type,
                           const std::set<std::string>& names) {
  TypeState& state = Of(type);
  bool changed = std::exchange(state.all, false);
  for (auto it = state.resources.begin(); it != state.resources.end();) {
    if (names.count(it->first) > 0) {
      ++it;
      continue;
    }
    Clear(state, it->second);
    it = state.resources.erase(it);
    changed = true;
  }
  for (const std::string& name : names) {
    if (!state.resources.try_emplace(name).second) continue;
    state.untimed.push_back(name);
    changed = true;
  }
  state.subscribed = !names.empty();
  // A first request without names would ask for all resources.
  if (!changed) return;
  state.dirty = state.subscribed || state.asked;
  state.held_until = absl::InfinitePast();
}

// --- The stream ---

void AdsSession::OnOpen() {
  OnClose();
  open_ = true;
  node_sent_ = false;
  for (TypeState& type : types_) {
    type.dirty = type.subscribed;
    if (type.all) {
      if (!type.received) type.untimed = {""};
      continue;
    }
    for (const auto& [name, resource] : type.resources) {
      if (resource.status == ResourceStatus::kRequested) {
        type.untimed.push_back(name);
      }
    }
  }
}

void AdsSession::OnClose() {
  open_ = false;
  expiries_.clear();
  for (TypeState& type : types_) {
    type.asked = type.dirty = false;
    type.untimed.clear();
    type.nonce.clear();
    type.error.clear();
    type.refusals = 0;
    type.held_until = absl::InfinitePast();
  }
}

std::optional<std::string> AdsSession::TakeRequest(absl::Time now) {
  if (!open_) return std::nullopt;
  for (size_t i = 0; i < kResourceTypes; ++i) {
    TypeState& type = types_[i];
    if (!type.dirty || now < type.held_until) continue;
    DiscoveryRequest request;
    request.set_type_url(std::string(TypeUrlOf(static_cast<ResourceType>(i))));
    request.set_version_info(type.version);
    request.set_response_nonce(type.nonce);
    if (!std::exchange(node_sent_, true)) {
      // The options come from a message of the same kind.
      request.mutable_node()->ParseFromString(options_.node);
    }
    if (!type.all) {
      for (const auto& [name, resource] : type.resources) {
        request.add_resource_names(name);
      }
    }
    if (!type.error.empty()) {
      request.mutable_error_detail()->set_code(kInvalidArgument);
      request.mutable_error_detail()->set_message(
          std::exchange(type.error, {}));
    }
    type.asked = true;
    type.dirty = false;
    StartTimers(static_cast<ResourceType>(i), now);
    return request.SerializeAsString();
  }
  return std::nullopt;
}

// All timers of a session run equally long, so that new ones are the last.
void AdsSession::StartTimers(ResourceType type, absl::Time now) {
  auto names = std::exchange(Of(type).untimed, {});
  if (options_.fetch_timeout == absl::InfiniteDuration()) return;
  for (std::string& name : names) {
    expiries_.push_back({now + options_.fetch_timeout, type, std::move(name)});
  }
}

absl::Time AdsSession::NextExpiry() const {
  absl::Time next =
      expiries_.empty() ? absl::InfiniteFuture() : expiries_.front().when;
  for (const TypeState& type : types_) {
    if (type.dirty && type.held_until != absl::InfinitePast()) {
      next = std::min(next, type.held_until);
    }
  }
  return next;
}

void AdsSession::Expire(absl::Time now) {
  std::map<ResourceType, std::vector<std::string>> changed;
  while (!expiries_.empty() && expiries_.front().when <= now) {
    const Expiry expiry = std::move(expiries_.front());
    expiries_.pop_front();
    TypeState& type = Of(expiry.type);
    if (expiry.name.empty()) {
      if (!std::exchange(type.received, true)) changed[expiry.type];
      continue;
    }
    const auto found = type.resources.find(expiry.name);
    if (found == type.resources.end() ||
        found->second.status != ResourceStatus::kRequested) {
      continue;
    }
    found->second.status = ResourceStatus::kDoesNotExist;
    changed[expiry.type].push_back(expiry.name);
  }
  for (const auto& [type, names] : changed) {
    observer_->OnResources(type, names);
  }
}

// --- Responses ---

absl::Status AdsSession::Receive(std::string_view message, absl::Time now) {
  DiscoveryResponse parsed;
  if (message.size() > std::numeric_limits<int>::max() ||
      !parsed.ParseFromArray(message.data(),
                             static_cast<int>(message.size()))) {
    return absl::InvalidArgumentError("ADS: this is no DiscoveryResponse");
  }
  const auto type = ResourceTypeOf(parsed.type_url());
  if (!type.has_value() || !Of(*type).asked || !Of(*type).subscribed) {
    ++stats_.ignored;
    return absl::OkStatus();
  }
  ++stats_.responses;
  Response response{parsed, *type, now, {}, {}, {}, false};
  for (int i = 0; i < parsed.resources_size(); ++i) TakeResource(response, i);
  TakeErrors(response);
  DropAbsent(response);
  TypeState& state = Of(*type);
  state.nonce = parsed.nonce();
  state.dirty = state.received = true;
  state.error = JoinErrors(response.errors);
  if (response.errors.empty()) {
    state.version = parsed.version_info();
    state.refusals = 0;
    ++stats_.accepted;
  } else {
    HoldBack(state, parsed.version_info(), now);
    ++stats_.rejected;
  }
  observer_->OnResources(*type, response.changed);
  return absl::OkStatus();
}

void AdsSession::HoldBack(TypeState& type, const std::string& version,
                          absl::Time now) {
  if (version != type.refused_version) type.refusals = 0;
  type.refused_version = version;
  const uint32_t again = type.refusals++;
  if (again == 0) return;
  type.held_until = now + std::min(kNackPause * (1 << std::min(again - 1, 16u)),
                                   kNackPauseMax);
}

// Most resources of most responses are those of the last one: they need not be
// read once more.
bool AdsSession::TakeKnown(Response& response, const std::string& bytes) {
  TypeState& type = Of(response.type);
  const auto known = type.by_bytes.find(base::XxHash64(bytes));
  if (known == type.by_bytes.end()) return false;
  const auto found = type.resources.find(known->second);
  if (found == type.resources.end() || found->second.bytes != bytes ||
      !response.seen.insert(found->first).second) {
    return false;
  }
  ResourceState& state = found->second;
  state.status = ResourceStatus::kAcked;
  state.version = response.message.version_info();
  state.error.clear();
  state.rejected_version.clear();
  return true;
}

void AdsSession::TakeResource(Response& response, int index) {
  const auto& any = response.message.resources(index);
  if (TakeKnown(response, any.value())) return;
  DecodedResource decoded = decoder_.Decode(any.type_url(), any.value());
  if (decoded.message != nullptr &&
      ResourceTypeOf(OriginalNameOf(*decoded.message->GetDescriptor())) !=
          response.type) {
    response.nameless = true;
    response.errors.push_back(absl::StrCat(
        "resources[", index, "]: has the type ",
        Quoted(OriginalNameOf(*decoded.message->GetDescriptor())),
        " in a response of ", Quoted(response.message.type_url())));
    return;
  }
  if (decoded.name.empty()) {
    response.nameless = true;
    response.errors.push_back(absl::StrCat(
        "resources[", index,
        "]: ", decoded.ok() ? "has no name" : decoded.ErrorText()));
    return;
  }
  if (!response.seen.insert(decoded.name).second) {
    response.errors.push_back(absl::StrCat(base::ToAbsl(NameOf(response.type)),
                                           " ", Quoted(decoded.name),
                                           ": comes twice in one response"));
    return;
  }
  TypeState& type = Of(response.type);
  if (!type.all && type.resources.count(decoded.name) == 0) return;
  if (decoded.heartbeat) return;
  ResourceState& state = type.resources[decoded.name];
  if (decoded.ok()) {
    Accept(response, std::move(decoded), any.value(), state);
  } else {
    Refuse(response, decoded, state);
  }
}

void AdsSession::Refuse(Response& response, const DecodedResource& decoded,
                        ResourceState& state) {
  state.status = ResourceStatus::kNacked;
  state.rejected_version = decoded.version.empty()
                               ? response.message.version_info()
                               : decoded.version;
  state.error = decoded.ErrorText();
  if (!state.has_value()) response.changed.push_back(decoded.name);
  for (const FieldProblem& problem : decoded.problems) {
    if (problem.severity != Severity::kError) continue;
    response.errors.push_back(absl::StrCat(
        base::ToAbsl(NameOf(response.type)), " ", Quoted(decoded.name), ": ",
        problem.path, problem.path.empty() ? "" : ": ", problem.message));
  }
}

void AdsSession::Accept(Response& response, DecodedResource decoded,
                        const std::string& bytes, ResourceState& state) {
  TypeState& type = Of(response.type);
  Clear(type, state);
  state.status = ResourceStatus::kAcked;
  state.value = std::move(decoded.value);
  state.bytes = bytes;
  state.version = decoded.version.empty() ? response.message.version_info()
                                          : decoded.version;
  state.updated = response.now;
  state.notes = std::move(decoded.problems);
  type.by_bytes[base::XxHash64(bytes)] = decoded.name;
  response.changed.push_back(std::move(decoded.name));
}

// Of resources the control plane itself says that it cannot give them; what
// there is stays in use (gRFC A88).
void AdsSession::TakeErrors(Response& response) {
  TypeState& type = Of(response.type);
  for (const auto& error : response.message.resource_errors()) {
    const std::string& name = error.resource_name().name();
    const auto found = type.resources.find(name);
    if (found == type.resources.end()) continue;
    if (!response.seen.insert(name).second) continue;
    ResourceState& state = found->second;
    state.error = error.error_detail().message();
    if (!state.bytes.empty()) continue;
    state.status = ResourceStatus::kDoesNotExist;
    response.changed.push_back(name);
  }
}

void AdsSession::DropAbsent(Response& response) {
  // What a bad resource without a name was, nobody knows.
  if (!AbsenceIsDeletion(response.type) || response.nameless) return;
  TypeState& type = Of(response.type);
  for (auto it = type.resources.begin(); it != type.resources.end();) {
    ResourceState& state = it->second;
    if (response.seen.count(it->first) > 0 ||
        (!type.all && state.status == ResourceStatus::kDoesNotExist)) {
      ++it;
      continue;
    }
    response.changed.push_back(it->first);
    Clear(type, state);
    if (type.all) {
      it = type.resources.erase(it);
    } else {
      state.status = ResourceStatus::kDoesNotExist;
      ++it;
    }
  }
}

// Takes its value away.
void AdsSession::Clear(TypeState& type, ResourceState& state) {
  if (!state.bytes.empty()) type.by_bytes.erase(base::XxHash64(state.bytes));
  state = {};
}

bool AdsSession::waiting() const {
  return std::any_of(types_.begin(), types_.end(), [](const TypeState& type) {
    if (!type.subscribed) return false;
    if (type.all) return !type.received;
    return std::any_of(
        type.resources.begin(), type.resources.end(), [](const auto& resource) {
          return resource.second.status == ResourceStatus::kRequested;
        });
  });
}

const ResourceState* AdsSession::Find(ResourceType type,
                                      std::string_view name) const {
  const auto& resources = Of(type).resources;
  const auto found = resources.find(name);
  return found == resources.end() ? nullptr : &found->second;
}

}  // namespace meshlib::xds
