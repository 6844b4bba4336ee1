#ifndef MESHLIB_TESTING_SIMULATED_STREAM_H_
#define MESHLIB_TESTING_SIMULATED_STREAM_H_

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "event/stream.h"
#include "testing/simulated_connection.h"

namespace meshlib::testing {

// What owns an address: all before the port, or the whole name.
std::string_view SimulatedEndpointOf(std::string_view address);

// One end of a simulated connection.
class SimulatedStream final : public event::Stream {
 public:
  SimulatedStream(std::shared_ptr<SimulatedConnection> connection, size_t end)
      : connection_(std::move(connection)), end_(end) {}
  ~SimulatedStream() override { connection_->Destroy(end_); }

  event::IoResult Read(absl::Span<char> into) override {
    return connection_->Read(end_, into);
  }
  event::IoResult Write(absl::Span<const std::string_view> pieces) override {
    return connection_->Write(end_, pieces);
  }
  void WantRead(bool want) override { connection_->WantRead(end_, want); }
  void WantWrite(bool want) override { connection_->WantWrite(end_, want); }
  void CloseWrite() override { connection_->CloseWrite(end_); }
  void Reset() override { connection_->ResetByOwner(end_); }
  int Descriptor() const override { return -1; }
  absl::Status error() const override { return connection_->ErrorOf(end_); }
  void SetHandler(event::StreamHandler* handler) override {
    connection_->SetHandler(end_, handler);
  }
  std::string LocalAddress() const override {
    return connection_->AddressOf(end_);
  }
  std::string PeerAddress() const override {
    return connection_->AddressOf(1 - end_);
  }

 private:
  const std::shared_ptr<SimulatedConnection> connection_;
  const size_t end_;
};

}  // namespace meshlib::testing

#endif  // MESHLIB_TESTING_SIMULATED_STREAM_H_
