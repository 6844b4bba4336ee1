#ifndef MESHLIB_XDS_LOADER_DOCUMENTS_H_
#define MESHLIB_XDS_LOADER_DOCUMENTS_H_

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "google/protobuf/arena.h"
#include "google/protobuf/message.h"
#include "google/protobuf/struct.pb.h"
#include "proto/validate_rules.h"
#include "xds/config_builder.h"
#include "xds/document_sink.h"
#include "xds/event_buffer.h"
#include "xds/loader.h"

namespace meshlib::xds {

// Finds out what each document of a file is, has the builder make messages of
// it, checks them and passes them on.
class Loader::Documents : public DocumentSink, public ConfigBuilder::Receiver {
 public:
  Documents(ResourceSink& sink, Problems& problems);
  ~Documents() override;

  void BeginFile(std::string_view name);
  // Reports a file without any document, unless its syntax was broken.
  void EndFile(bool complete);

  void BeginDocument(Position at) override;
  void EndDocument() override;
  void AbortDocument() override;
  void BeginMap(Position at) override;
  void BeginList(Position at) override;
  void End() override;
  void Key(Position at, std::string_view name) override;
  void Scalar(Position at, ScalarStyle style, std::string_view text) override;
  void Null(Position at) override;

  void OnElement(const google::protobuf::Message& message,
                 const ConfigBuilder::Where& where) override;

 private:
  enum class Form {
    kUnknown,    // its events are kept until a key tells
    kBuilding,   // the builder has it
    kEnvelope,   // {resources: [...]}
    kLegacy,     // {envoy: {config: {...}}}
    kPassedOver  // reported
  };
  enum class Root { kNone, kBootstrap, kLegacyResources, kGrpc };
  struct Place {
    std::string file;
    int line = 0;
  };

  // Whether the event at `at` opens the document's content.
  bool IsFirst(Position at);
  // Hands an event, event(sink), to the buffer or the builder if the form
  // wants it there. True if it wants neither: the event is of a map that this
  // class reads itself.
  template <typename Event>
  bool IsOurs(const Event& event);
  void Decide(std::string_view key);
  void Become(Form form);
  void BuildBootstrap();
  void BuildGrpc();
  void EnvelopeKey(Position at, std::string_view name);
  void LegacyKey(Position at, std::string_view name);
  void RootDone();
  void Undecided();
  void CheckListener(const google::protobuf::Message& message,
                     const ResourceContext& context);
  void Error(Position at, std::string_view path, std::string message);
  // Reports broken rules; returns whether there were none.
  bool CheckRules(const google::protobuf::Message& message,
                  const ResourceContext& context);
  // Reports a second resource of the same type and name.
  bool CheckName(const google::protobuf::Message& message,
                 const ResourceContext& context);

  ResourceSink& sink_;
  Problems& problems_;
  std::string file_;
  ConfigBuilder builder_;
  proto::RuleChecker rules_;

  Form form_ = Form::kUnknown;
  Root root_ = Root::kNone;
  bool legacy_ = false;
  int depth_ = 0;         // of maps that this class reads itself
  bool empty_ = true;     // the document, so far
  size_t documents_ = 0;  // of the file, empty ones not counted
  Position at_;           // of the document's content
  bool skip_value_ = false;
  int skip_depth_ = 0;
  EventBuffer buffer_;
  bool has_node_ = false;
  bool looks_like_resource_ = false;
  absl::flat_hash_set<std::string> envelope_keys_;

  // What the builder fills.
  std::unique_ptr<google::protobuf::Message> message_;
  google::protobuf::Struct fields_;

  absl::flat_hash_map<std::string, Place> names_;  // by type and name
};

}  // namespace meshlib::xds

#endif  // MESHLIB_XDS_LOADER_DOCUMENTS_H_
