#ifndef MESHLIB_XDS_LEGACY_H_
#define MESHLIB_XDS_LEGACY_H_

#include <string>
#include <string_view>

#include "google/protobuf/message.h"

namespace meshlib::xds {

// Forms that Envoy's API had in version 2. Tutorials still show them, so they
// get messages that name today's form.

// How today's API writes a field that `message` (the original's full name) had
// in v2: "transport_socket with an UpstreamTlsContext". Empty if it had none.
// `has_typed_config` tells whether today's message has that field.
std::string_view TodaysForm(std::string_view message, std::string_view field,
                            bool has_typed_config);

// "...; that is Envoy's v2 API: write envoy.config.cluster.v3.Cluster" for the
// type URL of a v2 message; empty for any other.
std::string TodaysType(std::string_view type_url);

// Cluster.hosts, a list of addresses, is the only field of v2 that is still
// understood: it is taken for the endpoints of load_assignment.
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
