#ifndef MESHLIB_XDS_LEGACY_H_
#define MESHLIB_XDS_LEGACY_H_

#include <string>
#include <string_view>

#include "google/protobuf/message.h"
#include "xds/event_buffer.h"
#include "xds/event_sink.h"

namespace meshlib::xds {

// Forms that Envoy's API had in version 2. Tutorials still show them, so the
// usual ones are understood, with a warning that names today's form; the others
// get an error that does.

// How today's API writes a field that `message` (the original's full name) had
// in v2.
struct LegacyForm {
  std::string_view today;  // "transport_socket with an UpstreamTlsContext"

  // What makes it today's, if that can be done: the keys that lead to the
  // value ("safe_regex.regex"; "[]" stands for a list of one).
  std::string_view keys = {};
  // The value becomes an extension's configuration: its name and type.
  std::string_view extension = {};
  std::string_view type = {};
  // The value means nothing to us and is passed over.
  bool dropped = false;

  bool known() const { return !today.empty(); }
  bool rewritable() const { return !keys.empty(); }
};
LegacyForm TodaysForm(std::string_view message, std::string_view field);

// Sends the field, whose `value` was kept, in today's form.
void SendInTodaysForm(const LegacyForm& form, Position at,
                      const EventBuffer& value, EventSink& sink);

// v2 told the type of an extension's "config" by the extension's name, old or
// new: "envoy.router", "envoy.filters.http.router". Empty if we do not know.
std::string_view TypeOfExtension(std::string_view name);
// Whether the name itself is of v2, where "config" could be left out.
bool IsOldExtensionName(std::string_view name);

// The name of today's message for the type URL of a v2 message:
// "envoy.config.cluster.v3.Cluster". Empty if it is none, or a rare one.
std::string_view TodaysType(std::string_view type_url);
// Whether a type URL looks like one of the v2 API.
bool IsOldType(std::string_view type_url);

// Cluster.hosts, a list of addresses, is taken for the endpoints of
// load_assignment.
bool IsLegacyHosts(std::string_view message, std::string_view field);

// Adds an endpoint to the Cluster's load_assignment; returns its empty Address.
google::protobuf::Message* AddLegacyHost(google::protobuf::Message& cluster);

// Names the load_assignment that AddLegacyHost() made after its cluster.
void FinishLegacyHosts(google::protobuf::Message& cluster);

// The path with today's names: what began with "envoy.config" begins with
// "static_resources".
std::string TodaysPath(std::string_view path);

}  // namespace meshlib::xds

#endif  // MESHLIB_XDS_LEGACY_H_
