#include "controlplane/ads_server_stream.h"

#include <limits>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/strings.h"
#include "meshlib/xds/envoy/config/cluster/v3/cluster.pb.h"
#include "meshlib/xds/envoy/service/discovery/v3/discovery.pb.h"
#include "xds/resource_type.h"

namespace meshlib::controlplane {
namespace {

using xds::ResourceType;
using xds::envoy::config::cluster::v3::Cluster;
using xds::envoy::service::discovery::v3::DiscoveryResponse;

constexpr std::string_view kWildcard = "*";
// Of a type that there is nothing of.
constexpr char kNoVersion[] = "0";
// Ends the version of clusters among which some are that will go.
constexpr char kBeforeRemoval[] = "/before-removal";

// Others come after those that we know.
int OrderOf(std::string_view type_url) {
  const auto type = xds::ResourceTypeOf(type_url);
  return static_cast<int>(type.has_value() ? static_cast<size_t>(*type)
                                           : xds::kResourceTypes);
}

bool IsComplete(std::string_view type_url) {
  const auto type = xds::ResourceTypeOf(type_url);
  return type.has_value() && xds::AbsenceIsDeletion(*type);
}

// Of an untrusted client, for logs.
std::string Shown(const std::string& text) { return base::Excerpt(text, 200); }

}  // namespace

void AdsServerStream::SetResources(
    std::shared_ptr<const ResourceSet> resources) {
  resources_ = std::move(resources);
  for (auto& [key, subscription] : subscriptions_) subscription.dirty = true;
}

// --- Requests ---

absl::StatusOr<AdsRequest> AdsServerStream::Receive(std::string_view message) {
  DiscoveryRequest request;
  if (message.size() > std::numeric_limits<int>::max() ||
      !request.ParseFromArray(message.data(),
                              static_cast<int>(message.size()))) {
    return absl::InvalidArgumentError("ADS: this is no DiscoveryRequest");
  }
  if (!std::exchange(began_, true)) TakeNode(request);
  if (request.type_url().empty()) {
    return absl::InvalidArgumentError("ADS: the request has no type_url");
  }
  auto found = Find(request.type_url());
  if (!found.ok()) return found.status();
  Subscription& subscription = **found;
  SubscriptionStatus& status = *subscription.status;
  AdsRequest result;
  result.type_url = request.type_url();
  ++status.requests;
  if (!request.response_nonce().empty() &&
      request.response_nonce() != status.nonce) {
    ++status.stale;
    result.kind = AdsRequest::Kind::kStale;
    return result;
  }
  // The answer to a response, and what follows it with the same nonce.
  const bool named = !request.response_nonce().empty();
  const bool answer = named && !std::exchange(subscription.answered, true);
  if (answer) TakeAnswer(request, subscription, result);
  const bool repeated = named && !answer;
  const absl::Status subscribed = Subscribe(request, subscription, repeated);
  if (!subscribed.ok()) return subscribed;
  return result;
}

void AdsServerStream::TakeNode(const DiscoveryRequest& request) {
  const auto& node = request.node();
  status_.node_id = Shown(node.id());
  status_.node_cluster = Shown(node.cluster());
  status_.user_agent = Shown(node.user_agent_name());
  if (!node.user_agent_version().empty()) {
    status_.user_agent += " " + Shown(node.user_agent_version());
  }
}

absl::StatusOr<AdsServerStream::Subscription*> AdsServerStream::Find(
    const std::string& type_url) {
  const auto [place, added] =
      subscriptions_.try_emplace({OrderOf(type_url), type_url});
  Subscription& subscription = place->second;
  if (!added) return &subscription;
  if (subscriptions_.size() > limits_.types) {
    subscriptions_.erase(place);
    return absl::ResourceExhaustedError(absl::StrCat(
        "ADS: the stream asks for more than ", limits_.types, " types"));
  }
  subscription.status = &status_.types[type_url];
  subscription.complete = IsComplete(type_url);
  return &subscription;
}

void AdsServerStream::TakeAnswer(const DiscoveryRequest& request,
                                 Subscription& subscription,
                                 AdsRequest& result) {
  SubscriptionStatus& status = *subscription.status;
  result.version = status.sent_version;
  if (!request.has_error_detail()) {
    result.kind = AdsRequest::Kind::kAck;
    ++status.acks;
    status.acked_version = status.sent_version;
    status.nacked_version.clear();
    status.nack_error.clear();
    return;
  }
  result.kind = AdsRequest::Kind::kNack;
  result.error = request.error_detail().message();
  ++status.nacks;
  status.nacked_version = status.sent_version;
  status.nack_error = result.error;
}

absl::Status AdsServerStream::Subscribe(const DiscoveryRequest& request,
                                        Subscription& subscription,
                                        bool repeated) {
  SubscriptionStatus& status = *subscription.status;
  std::set<std::string> names(request.resource_names().begin(),
                              request.resource_names().end());
  subscription.named = subscription.named || !names.empty();
  bool all = names.erase(std::string(kWildcard)) > 0;
  all = all || (subscription.complete && !subscription.named);
  size_t bytes = 0;
  for (const std::string& name : names) bytes += name.size();
  name_bytes_ += bytes - std::exchange(subscription.name_bytes, bytes);
  if (name_bytes_ > limits_.name_bytes) {
    return absl::ResourceExhaustedError(
        absl::StrCat("ADS: the names that the stream asks for are ",
                     name_bytes_, " bytes, the limit is ", limits_.name_bytes));
  }
  const bool same = all == status.all && names == status.names;
  bool more = all && !status.all;
  for (const std::string& name : names) {
    more = more || status.names.count(name) == 0;
  }
  // What is not asked for any more is forgotten, so that it is sent again when
  // it is asked for again. A request that asks for nothing new, once the
  // response was answered, asks for all of it again: so does a client that
  // makes a cluster anew ("Resource warming").
  const bool again = same && repeated && !subscription.complete;
  for (auto it = subscription.sent.begin(); it != subscription.sent.end();) {
    const bool kept = !again && (all || names.count(it->first) > 0);
    it = kept ? std::next(it) : subscription.sent.erase(it);
  }
  status.all = all;
  status.names = std::move(names);
  subscription.dirty = subscription.dirty || more || again;
  subscription.owed = subscription.owed || (more && subscription.complete);
  return absl::OkStatus();
}

// --- Responses ---

std::optional<AdsResponse> AdsServerStream::TakeResponse() {
  if (resources_ == nullptr) return std::nullopt;
  for (auto& [key, subscription] : subscriptions_) {
    if (!std::exchange(subscription.dirty, false)) continue;
    auto response = Respond(key.second, subscription);
    if (response.has_value()) return response;
  }
  return std::nullopt;
}

AdsServerStream::Found AdsServerStream::Subscribed(
    const std::string& type_url, const Subscription& subscription) const {
  Found found;
  const TypedResources* const type = resources_->Find(type_url);
  if (type == nullptr) return found;
  if (subscription.status->all) {
    found.assign(type->by_name.begin(), type->by_name.end());
    return found;
  }
  for (const std::string& name : subscription.status->names) {
    const auto resource = type->by_name.find(name);
    if (resource == type->by_name.end()) continue;
    found.emplace_back(resource->first, resource->second);
  }
  return found;
}

AdsServerStream::Difference AdsServerStream::Compare(
    const std::string& type_url, const Subscription& subscription) const {
  Difference difference;
  difference.found = Subscribed(type_url, subscription);
  size_t known = 0;
  for (const auto& [name, resource] : difference.found) {
    const auto sent = subscription.sent.find(name);
    if (sent == subscription.sent.end()) {
      difference.changed.emplace_back(name, resource);
      continue;
    }
    ++known;
    if (sent->second == resource || sent->second->bytes == resource->bytes) {
      continue;
    }
    difference.changed.emplace_back(name, resource);
    difference.replaced.push_back(resource);
  }
  // What is gone of other types is not said: they have no word for it.
  difference.removed =
      subscription.complete && known < subscription.sent.size();
  return difference;
}

std::optional<AdsResponse> AdsServerStream::Respond(
    const std::string& type_url, Subscription& subscription) {
  Difference difference = Compare(type_url, subscription);
  const bool owed = std::exchange(subscription.owed, false);
  const bool news = owed || !difference.changed.empty();
  if (!news && !difference.removed) return std::nullopt;
  for (const auto& resource : difference.replaced) OweEndpoints(*resource);
  if (!subscription.complete) {
    return Write(type_url, subscription, difference.changed, "");
  }
  // Clusters go when nothing that the client has leads to them any more: make
  // before break.
  const bool hold = difference.removed && OwesRoutes(type_url);
  auto sent = std::exchange(subscription.sent, {});
  if (!hold) return Write(type_url, subscription, difference.found, "");
  subscription.dirty = true;
  if (!news) {
    subscription.sent = std::move(sent);
    return std::nullopt;
  }
  std::set<std::string_view> there;
  for (const auto& [name, resource] : difference.found) there.insert(name);
  for (const auto& [name, resource] : sent) {
    if (there.count(name) == 0) difference.found.emplace_back(name, resource);
  }
  return Write(type_url, subscription, difference.found, kBeforeRemoval);
}

// Whether listeners or routes are about to be sent, after clusters.
bool AdsServerStream::OwesRoutes(const std::string& type_url) const {
  if (xds::ResourceTypeOf(type_url) != ResourceType::kCluster) return false;
  for (const auto& [key, subscription] : subscriptions_) {
    const auto type = xds::ResourceTypeOf(key.second);
    if (type != ResourceType::kListener && type != ResourceType::kRouteConfig) {
      continue;
    }
    if (!subscription.dirty) continue;
    const Difference difference = Compare(key.second, subscription);
    if (difference.removed || !difference.changed.empty()) return true;
  }
  return false;
}

AdsResponse AdsServerStream::Write(const std::string& type_url,
                                   Subscription& subscription,
                                   const Found& resources,
                                   std::string_view version_suffix) {
  const TypedResources* const type = resources_->Find(type_url);
  AdsResponse response;
  response.type_url = type_url;
  response.version =
      type == nullptr || type->version.empty() ? kNoVersion : type->version;
  response.version.append(version_suffix);
  response.nonce = absl::StrCat(++last_nonce_);
  DiscoveryResponse message;
  message.set_version_info(response.version);
  message.set_type_url(type_url);
  message.set_nonce(response.nonce);
  message.mutable_control_plane()->set_identifier("meshlib");
  message.mutable_resources()->Reserve(static_cast<int>(resources.size()));
  for (const auto& [name, resource] : resources) {
    auto* const any = message.add_resources();
    any->set_type_url(resource->type_url);
    any->set_value(resource->bytes);
    subscription.sent[std::string(name)] = resource;
  }
  response.message = message.SerializeAsString();
  SubscriptionStatus& status = *subscription.status;
  ++status.responses;
  status.sent_version = response.version;
  status.nonce = response.nonce;
  subscription.answered = false;
  return response;
}

// A client that makes a cluster anew waits for its endpoints once more, even if
// they are the same and its subscription is too ("Resource warming").
void AdsServerStream::OweEndpoints(const Resource& resource) {
  if (xds::ResourceTypeOf(resource.type_url) != ResourceType::kCluster) return;
  Cluster cluster;
  if (!cluster.ParseFromString(resource.bytes)) return;
  if (cluster.type() != Cluster::EDS) return;
  const std::string& service = cluster.eds_cluster_config().service_name();
  const std::string& name = service.empty() ? cluster.name() : service;
  const auto endpoints = static_cast<int>(ResourceType::kEndpoints);
  for (auto& [key, subscription] : subscriptions_) {
    if (key.first != endpoints) continue;
    if (subscription.sent.erase(name) > 0) subscription.dirty = true;
  }
}

}  // namespace meshlib::controlplane
