// Beast asserts that five bytes of a last chunk are there when it looks at it
// again, which its peer decides; nothing it does there needs them.
#define BOOST_DISABLE_ASSERTS

#include "net/http1/http1_parser.h"

#include <boost/beast/http/basic_parser.hpp>
#include <boost/beast/http/error.hpp>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/strings.h"

namespace meshlib::net {
namespace {

namespace beast_http = boost::beast::http;
using boost::beast::error_code;
using BeastView = boost::beast::string_view;

std::string_view ToStd(BeastView text) { return {text.data(), text.size()}; }

// Headers whose text is kept in one string, which may move while it grows.
class HeaderList {
 public:
  void Clear() {
    text_.clear();
    places_.clear();
  }

  void Add(std::string_view name, std::string_view value) {
    places_.push_back({text_.size(), name.size(), value.size()});
    for (const char c : name) {
      text_.push_back(absl::ascii_tolower(static_cast<unsigned char>(c)));
    }
    text_.append(value);
  }

  size_t size() const { return places_.size(); }
  size_t bytes() const { return text_.size(); }

  // Valid until the next change.
  absl::Span<const Header> Views() {
    views_.clear();
    for (const Place& place : places_) {
      const char* name = text_.data() + place.offset;
      views_.push_back({std::string_view(name, place.name),
                        std::string_view(name + place.name, place.value)});
    }
    return views_;
  }

 private:
  struct Place {
    size_t offset;
    size_t name;
    size_t value;
  };

  std::string text_;
  std::vector<Place> places_;
  std::vector<Header> views_;
};

// What the connection's messages share, so that memory is used again.
struct Shared {
  Http1Limits limits;
  HeaderList headers;
  std::string start;  // method and target, or reason
  Http1Handler* handler = nullptr;
  absl::Status status;  // why we refused, when Beast had no objection
};

// Stops Beast: the reason stands in Shared::status.
error_code Refused() {
  return beast_http::make_error_code(beast_http::error::bad_value);
}

template <bool kRequest>
class Message final : public beast_http::basic_parser<kRequest> {
  using Base = beast_http::basic_parser<kRequest>;

 public:
  explicit Message(Shared& shared) : shared_(shared) {
    this->eager(true);
    this->header_limit(shared.limits.max_header_bytes);
    this->body_limit(boost::none);
    shared_.headers.Clear();
    shared_.start.clear();
  }

  bool ended() const { return ended_; }

 private:
  void on_request_impl(beast_http::verb, BeastView method, BeastView target,
                       int version, error_code&) override {
    head_.version = version;
    shared_.start.assign(method.data(), method.size());
    method_size_ = method.size();
    shared_.start.append(target.data(), target.size());
  }

  void on_response_impl(int code, BeastView reason, int version,
                        error_code&) override {
    head_.version = version;
    head_.status = code;
    shared_.start.assign(reason.data(), reason.size());
  }

  void on_field_impl(beast_http::field field, BeastView name, BeastView value,
                     error_code& error) override {
    const std::string_view text = ToStd(value);
    if (shared_.headers.size() >= shared_.limits.max_headers) {
      return Refuse(absl::ResourceExhaustedError(absl::StrCat(
                        "more than ", shared_.limits.max_headers, " headers")),
                    error);
    }
    if (shared_.headers.bytes() + name.size() + text.size() >
        shared_.limits.max_header_bytes) {
      return Refuse(absl::ResourceExhaustedError(absl::StrCat(
                        "headers of more than ",
                        shared_.limits.max_header_bytes, " bytes")),
                    error);
    }
    shared_.headers.Add(ToStd(name), text);
    if (head_done_) return;  // a trailer says nothing about the message
    switch (field) {
      case beast_http::field::host:
        ++hosts_;
        break;
      case beast_http::field::content_length:
        has_length_ = true;
        break;
      case beast_http::field::transfer_encoding:
        CheckCoding(text, error);
        break;
      case beast_http::field::expect:
        head_.expects_continue =
            absl::EqualsIgnoreCase(base::ToAbsl(text), "100-continue");
        break;
      default:
        break;
    }
  }

  void CheckCoding(std::string_view coding, error_code& error) {
    if (head_.version < 11) {
      return Refuse("a Transfer-Encoding in HTTP/1.0", error);
    }
    if (has_coding_) return Refuse("a second Transfer-Encoding", error);
    has_coding_ = true;
    if (!absl::EqualsIgnoreCase(base::ToAbsl(coding), "chunked")) {
      Refuse(absl::StrCat("the Transfer-Encoding ", base::Excerpt(coding, 40)),
             error);
    }
  }

  void on_header_impl(error_code& error) override {
    if (has_coding_ && has_length_) {
      return Refuse("both Content-Length and Transfer-Encoding", error);
    }
    if (kRequest && hosts_ != 1 && (hosts_ > 1 || head_.version >= 11)) {
      return Refuse(hosts_ == 0 ? "no Host" : "a second Host", error);
    }
    const std::string_view start = shared_.start;
    if (kRequest) {
      head_.method = start.substr(0, method_size_);
      head_.target = start.substr(method_size_);
    } else {
      head_.reason = start;
    }
    head_.headers = shared_.headers.Views();
    if (has_length_) {
      const auto length = this->content_length();
      if (length.has_value()) head_.content_length = *length;
    }
    head_.chunked = this->chunked();
    head_.keep_alive = this->keep_alive();
    head_.upgrade = kRequest ? this->upgrade() : head_.status == 101;
    shared_.handler->OnHead(head_);
    head_done_ = true;
    shared_.headers.Clear();
  }

  void on_body_init_impl(const boost::optional<std::uint64_t>&,
                         error_code&) override {}
  std::size_t on_body_impl(BeastView body, error_code&) override {
    shared_.handler->OnBody(ToStd(body));
    return body.size();
  }
  void on_chunk_header_impl(std::uint64_t, BeastView, error_code&) override {}
  std::size_t on_chunk_body_impl(std::uint64_t, BeastView body,
                                 error_code&) override {
    shared_.handler->OnBody(ToStd(body));
    return body.size();
  }
  void on_finish_impl(error_code&) override {
    if (shared_.headers.size() > 0) {
      shared_.handler->OnTrailers(shared_.headers.Views());
    }
    ended_ = true;
    shared_.handler->OnEnd();
  }

  void Refuse(absl::Status status, error_code& error) {
    shared_.status = std::move(status);
    error = Refused();
  }
  void Refuse(std::string_view what, error_code& error) {
    Refuse(absl::InvalidArgumentError(base::ToAbsl(what)), error);
  }

  Shared& shared_;
  Http1Head head_;
  size_t method_size_ = 0;
  int hosts_ = 0;
  bool has_length_ = false;
  bool has_coding_ = false;
  bool head_done_ = false;
  bool ended_ = false;
};

}  // namespace

class Http1Parser::Impl {
 public:
  Impl(Kind kind, Http1Limits limits) : kind_(kind) {
    shared_.limits = limits;
    Next(false);
  }

  void Next(bool no_body) {
    pending_.clear();
    if (kind_ == Kind::kRequests) {
      request_ = std::make_unique<Message<true>>(shared_);
    } else {
      response_ = std::make_unique<Message<false>>(shared_);
      response_->skip(no_body);
    }
  }

  bool done() const {
    return kind_ == Kind::kRequests ? request_->ended() : response_->ended();
  }
  bool started() const {
    return !pending_.empty() ||
           (kind_ == Kind::kRequests ? request_->got_some()
                                     : response_->got_some());
  }

  absl::StatusOr<size_t> Feed(std::string_view bytes, Http1Handler& handler) {
    if (!shared_.status.ok()) return shared_.status;
    shared_.handler = &handler;
    const size_t before = pending_.size();
    size_t taken = 0;
    const bool buffered = before > 0;
    if (buffered) pending_.append(bytes);
    const std::string_view input =
        buffered ? std::string_view(pending_) : bytes;
    while (!done() && taken < input.size()) {
      const absl::StatusOr<size_t> now = Put(input.substr(taken));
      if (!now.ok()) return now.status();
      if (*now == 0) break;
      taken += *now;
    }
    // Beast wants what it did not take again, together with what follows.
    if (done()) {
      pending_.clear();
      return taken - before;
    }
    if (buffered) {
      pending_.erase(0, taken);
    } else {
      pending_.assign(bytes.substr(taken));
    }
    if (pending_.size() > shared_.limits.max_header_bytes) {
      return Fail(absl::ResourceExhaustedError(
          absl::StrCat("a line or headers of more than ",
                       shared_.limits.max_header_bytes, " bytes")));
    }
    return bytes.size();
  }

  absl::Status FeedEnd(Http1Handler& handler) {
    if (!shared_.status.ok()) return shared_.status;
    if (done() || !started()) return absl::OkStatus();
    shared_.handler = &handler;
    error_code error;
    if (kind_ == Kind::kResponses && response_->is_header_done()) {
      response_->put_eof(error);
      if (!error && done()) return absl::OkStatus();
    }
    return Fail(absl::InvalidArgumentError("the message was cut short"));
  }

 private:
  absl::StatusOr<size_t> Put(std::string_view bytes) {
    error_code error;
    const boost::asio::const_buffer buffer(bytes.data(), bytes.size());
    const size_t taken = kind_ == Kind::kRequests
                             ? request_->put(buffer, error)
                             : response_->put(buffer, error);
    if (!error || error == beast_http::error::need_more) return taken;
    if (!shared_.status.ok()) return Fail(shared_.status);
    if (error == beast_http::error::header_limit ||
        error == beast_http::error::buffer_overflow) {
      return Fail(absl::ResourceExhaustedError(absl::StrCat(
          "headers of more than ", shared_.limits.max_header_bytes, " bytes")));
    }
    return Fail(absl::InvalidArgumentError(error.message()));
  }

  absl::Status Fail(const absl::Status& status) {
    shared_.status = absl::Status(status.code(),
                                  absl::StrCat("HTTP/1.1: ", status.message()));
    return shared_.status;
  }

  const Kind kind_;
  Shared shared_;
  std::string pending_;  // of the present message, not parsed yet
  std::unique_ptr<Message<true>> request_;
  std::unique_ptr<Message<false>> response_;
};

Http1Parser::Http1Parser(Kind kind, Http1Limits limits)
    : impl_(std::make_unique<Impl>(kind, limits)) {}
Http1Parser::~Http1Parser() = default;

absl::StatusOr<size_t> Http1Parser::Feed(std::string_view bytes,
                                         Http1Handler& handler) {
  return impl_->Feed(bytes, handler);
}
absl::Status Http1Parser::FeedEnd(Http1Handler& handler) {
  return impl_->FeedEnd(handler);
}
bool Http1Parser::done() const { return impl_->done(); }
bool Http1Parser::started() const { return impl_->started(); }
void Http1Parser::Next(bool no_body) { impl_->Next(no_body); }

}  // namespace meshlib::net
