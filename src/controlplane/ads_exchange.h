#ifndef MESHLIB_CONTROLPLANE_ADS_EXCHANGE_H_
#define MESHLIB_CONTROLPLANE_ADS_EXCHANGE_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "controlplane/ads_server.h"
#include "controlplane/ads_server_stream.h"
#include "event/loop.h"
#include "net/grpc_framing.h"
#include "net/server_stream.h"

namespace meshlib::controlplane {

// A request to an AdsServer: a client's stream, or something else that is
// refused.
class AdsExchange final : public net::ServerHandler {
 public:
  explicit AdsExchange(AdsServer& server);
  ~AdsExchange() override;

  void OnRequest(net::ServerStream& stream, absl::Span<const Header> headers,
                 bool end_stream) override;
  void OnData(net::ServerStream& stream, std::string_view bytes) override;
  void OnEnd(net::ServerStream& stream) override;
  void OnWritable(net::ServerStream& stream) override { Pump(); }
  void OnReset(net::ServerStream& stream,
               const net::StreamReset& reset) override;

  // Those of the server are others now.
  void SetResources();
  // Sends what there is to send and room for.
  void Pump();
  // Drops what was not written; a status lets a message that has begun end.
  void End(const AdsEnd& end);

  AdsClient client() const {
    return {id_, &stream_->connection().peer(), &ads_.status()};
  }

 private:
  void Refuse(std::string_view status, std::string_view text);
  void Open();
  void Fail(const absl::Status& status);
  // False while something of it is left.
  bool WriteOut();
  void Close(const absl::Status& why);
  void Later(absl::Duration delay);

  AdsServer& server_;
  net::ServerStream* stream_ = nullptr;  // null when it is over
  uint64_t id_ = 0;                      // 0: it is no ADS stream
  bool headers_sent_ = false;
  net::GrpcDecoder decoder_;
  AdsServerStream ads_;

  // The response that is being sent, and what follows it.
  std::string out_;
  size_t written_ = 0;
  AdsEnd end_;
  bool abrupt_ = false;  // end_ would drop what is on its way
  std::optional<event::Loop::TimerId> timer_;  // nothing is sent before it
};

}  // namespace meshlib::controlplane

#endif  // MESHLIB_CONTROLPLANE_ADS_EXCHANGE_H_
