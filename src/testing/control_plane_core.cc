#include "testing/control_plane_core.h"

#include <limits>
#include <utility>

#include "absl/strings/str_cat.h"
#include "meshlib/xds/envoy/service/discovery/v3/discovery.pb.h"
#include "net/grpc_framing.h"

namespace meshlib::testing {
namespace {

using controlplane::AdsClient;
using controlplane::AdsDelivery;
using controlplane::AdsEnd;
using controlplane::AdsRequest;
using controlplane::AdsResponse;
using xds::envoy::service::discovery::v3::DiscoveryResponse;
using Fault = ControlPlaneFaults::Response;

constexpr char kGarbage[] = "\xff\xff\xff\xff garbage";
// No message of gRPC begins with a 7, or is so long.
constexpr char kBrokenFrame[] = "\x07\xff\xff\xff\xff broken";
// HTTP/2's INTERNAL_ERROR.
constexpr uint32_t kInternalError = 2;
// Of a field that no xDS message has.
constexpr int kPaddingField = 100'000;

std::string OtherType(const std::string& type) {
  return type == kListenerType ? kClusterType : kListenerType;
}

void AddForeign(DiscoveryResponse& message) {
  auto* const any = message.add_resources();
  any->set_type_url(OtherType(message.type_url()));
  any->set_value(
      "\x0a\x07"
      "foreign");  // its name
}

std::string Framed(std::string_view message) {
  std::string framed;
  net::AppendGrpcMessage(message, false, std::numeric_limits<uint32_t>::max(),
                         framed)
      .IgnoreError();
  return framed;
}

std::string Changed(const ControlPlaneFaults& faults,
                    const std::string& serialized) {
  DiscoveryResponse message;
  if (!message.ParseFromString(serialized)) return serialized;
  switch (faults.response) {
    case Fault::kWrongNonce:
      message.set_nonce(absl::StrCat("wrong-", message.nonce()));
      break;
    case Fault::kWrongType:
      message.set_type_url(OtherType(message.type_url()));
      break;
    case Fault::kForeignResource:
      AddForeign(message);
      break;
    case Fault::kDuplicates: {
      const DiscoveryResponse once = message;
      message.mutable_resources()->MergeFrom(once.resources());
      break;
    }
    default:
      break;
  }
  if (faults.padding > 0) {
    message.GetReflection()->MutableUnknownFields(&message)->AddLengthDelimited(
        kPaddingField, std::string(faults.padding, 'x'));
  }
  return message.SerializeAsString();
}

// The bytes of a response, and maybe an end.
AdsDelivery Deliver(const ControlPlaneFaults& faults,
                    const AdsResponse& response) {
  AdsDelivery delivery;
  delivery.delay = faults.delay;
  switch (faults.response) {
    case Fault::kGarbage:
      delivery.bytes = Framed(kGarbage);
      break;
    case Fault::kBrokenFraming:
      delivery.bytes = kBrokenFrame;
      break;
    case Fault::kTruncated:
      delivery.bytes = Framed(response.message);
      delivery.bytes.resize(delivery.bytes.size() / 2);
      delivery.end = {AdsEnd::Kind::kReset, kInternalError, ""};
      break;
    default:
      delivery.bytes =
          Framed(faults.response == Fault::kGood && faults.padding == 0
                     ? response.message
                     : Changed(faults, response.message));
  }
  return delivery;
}

}  // namespace

AdsEnd AdsEndOf(const StreamEnd& end) {
  switch (end.kind) {
    case StreamEnd::Kind::kReset:
      return {AdsEnd::Kind::kReset, kInternalError, ""};
    case StreamEnd::Kind::kClose:
      return {AdsEnd::Kind::kClose, 0, ""};
    case StreamEnd::Kind::kAbort:
      return {AdsEnd::Kind::kAbort, 0, ""};
    case StreamEnd::Kind::kStatus:
      break;
  }
  return {AdsEnd::Kind::kStatus, static_cast<uint32_t>(end.grpc_status),
          end.message};
}

AdsEnd ControlPlaneCore::OnOpen(const AdsClient& client) {
  ++counts.streams;
  ++counts.open_streams;
  responses_[client.id] = 0;
  changes.Happened();
  return faults.end_after == 0 ? AdsEndOf(faults.end) : AdsEnd{};
}

void ControlPlaneCore::OnRequest(const AdsClient& client,
                                 const AdsRequest& request) {
  ControlPlaneCounts::Type& type = counts.types[request.type_url];
  ++counts.requests;
  ++type.requests;
  if (!client.status->node_id.empty()) {
    counts.node_id = client.status->node_id;
  }
  switch (request.kind) {
    case AdsRequest::Kind::kSubscribe:
      break;
    case AdsRequest::Kind::kAck:
      ++counts.acks;
      ++type.acks;
      type.acked_version = request.version;
      break;
    case AdsRequest::Kind::kNack:
      ++counts.nacks;
      ++type.nacks;
      type.nack_errors.push_back(request.error);
      break;
    case AdsRequest::Kind::kStale:
      ++type.stale;
      break;
  }
  const auto& status = client.status->types.at(request.type_url);
  type.all = status.all;
  type.names = status.names;
  changes.Happened();
}

AdsDelivery ControlPlaneCore::OnResponse(const AdsClient& client,
                                         const AdsResponse& response) {
  ++counts.responses;
  ++counts.types[response.type_url].responses;
  const uint64_t count = ++responses_[client.id];
  AdsDelivery delivery;
  const bool meant =
      faults.type_url.empty() || faults.type_url == response.type_url;
  if (meant && faults.times > 0) {
    --faults.times;
    delivery = Deliver(faults, response);
  } else {
    delivery = DeliveryOf(response);
  }
  if (count >= faults.end_after) delivery.end = AdsEndOf(faults.end);
  changes.Happened();
  return delivery;
}

void ControlPlaneCore::OnClose(const AdsClient& client, const absl::Status&) {
  --counts.open_streams;
  responses_.erase(client.id);
  changes.Happened();
}

}  // namespace meshlib::testing
