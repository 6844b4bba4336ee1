#ifndef MESHLIB_TEST_NET_COUNTING_STREAM_H_
#define MESHLIB_TEST_NET_COUNTING_STREAM_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "event/stream.h"

namespace meshlib::net {

// A stream that counts how often it is used.
class CountingStream final : public event::Stream {
 public:
  struct Counts {
    int reads = 0;
    int writes = 0;
    size_t most = SIZE_MAX;  // to be read at once
  };
  CountingStream(std::unique_ptr<event::Stream> inner, Counts* counts)
      : inner_(std::move(inner)), counts_(counts) {}

  event::IoResult Read(absl::Span<char> into) override {
    ++counts_->reads;
    return inner_->Read(into.subspan(0, counts_->most));
  }
  bool CanWait() const override { return inner_->CanWait(); }
  event::IoResult ReadWithin(absl::Span<char> into,
                             absl::Duration longest) override {
    ++counts_->reads;
    return inner_->ReadWithin(into.subspan(0, counts_->most), longest);
  }
  void Interrupt() override { inner_->Interrupt(); }
  event::IoResult Write(absl::Span<const std::string_view> pieces) override {
    ++counts_->writes;
    return inner_->Write(pieces);
  }
  void WantRead(bool want) override { inner_->WantRead(want); }
  void WantWrite(bool want) override { inner_->WantWrite(want); }
  void CloseWrite() override { inner_->CloseWrite(); }
  void Reset() override { inner_->Reset(); }
  int Descriptor() const override { return inner_->Descriptor(); }
  absl::Status error() const override { return inner_->error(); }
  void SetHandler(event::StreamHandler* handler) override {
    inner_->SetHandler(handler);
  }
  std::string LocalAddress() const override { return inner_->LocalAddress(); }
  std::string PeerAddress() const override { return inner_->PeerAddress(); }

 private:
  const std::unique_ptr<event::Stream> inner_;
  Counts* const counts_;
};

}  // namespace meshlib::net

#endif  // MESHLIB_TEST_NET_COUNTING_STREAM_H_
