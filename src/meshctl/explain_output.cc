#include "meshctl/explain_output.h"

#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/time/time.h"
#include "base/strings.h"
#include "meshctl/json.h"
#include "meshctl/text_table.h"

namespace meshlib::meshctl {
namespace {

void WriteRoute(const Explanation& found, Json& json) {
  json.Field("listener", found.listener)
      .Field("route_config", found.route_config)
      .Field("virtual_host", found.virtual_host)
      .Field("route", found.route)
      .Field("cluster", found.cluster)
      .Field("policy", found.policy);
  json.Key("rejected").Begin('[');
  for (const Explanation::Rejected& rejected : found.rejected) {
    json.Begin('{')
        .Field("virtual_host", rejected.virtual_host)
        .Field("route", rejected.route)
        .Field("reason", rejected.reason)
        .End('}');
  }
  json.End(']');
}

void WriteHeaders(const char* key,
                  const std::vector<Explanation::HeaderValue>& headers,
                  Json& json) {
  json.Key(key).Begin('[');
  for (const Explanation::HeaderValue& header : headers) {
    json.Begin('{')
        .Field("name", header.name)
        .Field("value", header.value)
        .End('}');
  }
  json.End(']');
}

// Both null where the request is forwarded as it is.
void WriteChanges(const Explanation& found, Json& json) {
  json.Key("response");
  if (found.response.has_value()) {
    json.Begin('{').Field("status", uint64_t{found.response->status});
    if (!found.response->location.empty()) {
      json.Field("location", found.response->location);
    }
    if (!found.response->body.empty()) {
      json.Field("body", found.response->body);
    }
    json.End('}');
  } else {
    json.Null();
  }
  json.Key("rewrite");
  if (found.rewrite.has_value()) {
    json.Begin('{');
    if (found.rewrite->authority.has_value()) {
      json.Field("authority", *found.rewrite->authority);
    }
    if (found.rewrite->path.has_value()) {
      json.Field("path", *found.rewrite->path);
    }
    WriteHeaders("headers_added", found.rewrite->headers_added, json);
    WriteHeaders("headers_removed", found.rewrite->headers_removed, json);
    json.End('}');
  } else {
    json.Null();
  }
}

void WriteFaults(const Explanation& found, Json& json) {
  if (found.faults.empty()) return;
  json.Key("faults").Begin('[');
  for (const Explanation::Fault& fault : found.faults) {
    json.Begin('{').Field("filter", fault.filter);
    if (fault.delay_probability > 0) {
      json.Field("delay", absl::FormatDuration(fault.delay));
      json.Key("delay_probability").Number(fault.delay_probability);
    }
    if (fault.abort_probability > 0) {
      json.Field("http_status", uint64_t{fault.http_status});
      if (fault.grpc_status.has_value()) {
        json.Field("grpc_status", uint64_t{*fault.grpc_status});
      }
      json.Key("abort_probability").Number(fault.abort_probability);
    }
    json.End('}');
  }
  json.End(']');
}

void WriteLoads(const Explanation& found, Json& json) {
  json.Key("priorities").Begin('[');
  for (const Explanation::Priority& priority : found.priorities) {
    json.Begin('{')
        .Field("priority", uint64_t{priority.priority})
        .Field("healthy_load", uint64_t{priority.healthy_load})
        .Field("degraded_load", uint64_t{priority.degraded_load})
        .Field("panic", priority.panic)
        .End('}');
  }
  json.End(']');
  json.Key("localities").Begin('[');
  for (const Explanation::Locality& locality : found.localities) {
    json.Begin('{')
        .LocalityFields(locality)
        .Field("priority", uint64_t{locality.priority})
        .Key("effective_weight")
        .Number(locality.effective_weight)
        .End('}');
  }
  json.End(']');
}

void WriteHosts(const Explanation& found, Json& json) {
  json.Key("hosts").Begin('[');
  for (const Explanation::Host& host : found.hosts) {
    json.Begin('{')
        .Field("address", host.address)
        .Field("priority", uint64_t{host.priority})
        .LocalityFields(host)
        .Field("weight", uint64_t{host.weight});
    if (host.reported_weight > 0) {
      json.Key("reported_weight").Number(host.reported_weight);
    }
    json.Field("health", host.health)
        .Field("ejected", host.ejected)
        .Field("connect_backoff", host.connect_backoff)
        .Field("available", host.available)
        .End('}');
  }
  json.End(']');
}

std::string YesNo(bool value) { return value ? "yes" : "no"; }

std::string ResponseText(const Explanation::Response& response) {
  std::string text = absl::StrCat(response.status);
  if (!response.location.empty()) {
    absl::StrAppend(&text, ", Location: ", response.location);
  }
  if (!response.body.empty()) {
    absl::StrAppend(&text, ", \"", base::Excerpt(response.body), "\"");
  }
  return text;
}

// What changes on the way, in the form of HTTP.
std::string RewriteText(const RequestOptions& options,
                        const Explanation& found) {
  if (!found.rewrite.has_value()) return "";
  TextTable table({"REWRITTEN", "FROM", "TO"});
  const Explanation::Rewrite& rewrite = *found.rewrite;
  if (rewrite.authority.has_value()) {
    table.AddRow({":authority", options.authority, *rewrite.authority});
  }
  if (rewrite.path.has_value()) {
    table.AddRow({":path", options.path, *rewrite.path});
  }
  for (const Explanation::HeaderValue& header : rewrite.headers_removed) {
    table.AddRow({header.name, header.value, ""});
  }
  for (const Explanation::HeaderValue& header : rewrite.headers_added) {
    table.AddRow({header.name, "", header.value});
  }
  return absl::StrCat("\n", table.ToString());
}

std::string FaultText(const Explanation::Fault& fault) {
  std::string text;
  if (fault.delay_probability > 0) {
    text =
        absl::StrFormat("%.6g%% delayed by %s, ", 100 * fault.delay_probability,
                        absl::FormatDuration(fault.delay));
  }
  if (fault.abort_probability > 0) {
    absl::StrAppend(
        &text,
        absl::StrFormat("%.6g%% aborted with ", 100 * fault.abort_probability),
        fault.http_status,
        fault.grpc_status.has_value()
            ? absl::StrCat(", grpc-status ", *fault.grpc_status)
            : "",
        ", ");
  }
  return absl::StrCat(text, "by ", fault.filter);
}

// The answer in short: where the request goes and by which way.
std::string SummaryText(const RequestOptions& options,
                        const Explanation& found) {
  std::vector<std::pair<std::string, std::string>> fields;
  const auto add = [&fields](const char* name, const std::string& value) {
    if (!value.empty()) fields.emplace_back(name, value);
  };
  fields.emplace_back(
      "Request",
      absl::StrCat(options.method, " ", options.authority, " ", options.path));
  add("Listener", found.listener);
  add("Route config", found.route_config);
  add("Virtual host", found.virtual_host);
  add("Route", found.route);
  add("Cluster", found.cluster);
  add("Policy", found.policy);
  if (found.response.has_value()) {
    add("Response", ResponseText(*found.response));
  }
  for (const Explanation::Fault& fault : found.faults) {
    add("Fault", FaultText(fault));
  }
  if (found.drop_probability > 0) {
    fields.emplace_back("Dropped",
                        absl::StrFormat("%.6g%% of the requests",
                                        100 * found.drop_probability));
  }
  fields.emplace_back(
      "Pick", found.pick.value_or(absl::StrCat("none: ", found.failure)));
  return TextFields(fields);
}

std::string RejectedText(const Explanation& found) {
  if (found.rejected.empty()) return "";
  TextTable table({"VIRTUAL HOST", "ROUTE", "PASSED OVER BECAUSE"});
  for (const Explanation::Rejected& rejected : found.rejected) {
    table.AddRow({rejected.virtual_host, rejected.route, rejected.reason});
  }
  return absl::StrCat("\n", table.ToString());
}

std::string LoadsText(const Explanation& found) {
  if (found.priorities.empty()) return "";
  TextTable priorities(
      {">PRIORITY", ">HEALTHY LOAD", ">DEGRADED LOAD", "PANIC"});
  for (const Explanation::Priority& priority : found.priorities) {
    priorities.AddRow({absl::StrCat(priority.priority),
                       absl::StrCat(priority.healthy_load, "%"),
                       absl::StrCat(priority.degraded_load, "%"),
                       YesNo(priority.panic)});
  }
  TextTable localities(
      {">PRIORITY", "REGION", "ZONE", "SUB-ZONE", ">EFFECTIVE WEIGHT"});
  for (const Explanation::Locality& locality : found.localities) {
    localities.AddRow({absl::StrCat(locality.priority), locality.region,
                       locality.zone, locality.sub_zone,
                       absl::StrFormat("%.6g", locality.effective_weight)});
  }
  return absl::StrCat("\n", priorities.ToString(), "\n", localities.ToString());
}

std::string HostsText(const Explanation& found) {
  if (found.hosts.empty()) return "";
  // Few policies make weights of what hosts report.
  bool reports = false;
  for (const Explanation::Host& host : found.hosts) {
    reports = reports || host.reported_weight > 0;
  }
  std::vector<std::string> header = {"ADDRESS", ">PRIORITY", "REGION",
                                     "ZONE",    "SUB-ZONE",  ">WEIGHT"};
  if (reports) header.emplace_back(">REPORTED");
  header.insert(header.end(), {"HEALTH", "EJECTED", "BACK-OFF", "AVAILABLE"});
  TextTable table(std::move(header));
  for (const Explanation::Host& host : found.hosts) {
    std::vector<std::string> row = {host.address,  absl::StrCat(host.priority),
                                    host.region,   host.zone,
                                    host.sub_zone, absl::StrCat(host.weight)};
    if (reports) {
      row.push_back(host.reported_weight > 0
                        ? absl::StrFormat("%.6g", host.reported_weight)
                        : "");
    }
    row.insert(row.end(), {host.health, YesNo(host.ejected),
                           YesNo(host.connect_backoff), YesNo(host.available)});
    table.AddRow(std::move(row));
  }
  return absl::StrCat("\n", table.ToString());
}

}  // namespace

std::string ExplainJson(const Explanation& found) {
  Json json;
  json.Begin('{');
  WriteRoute(found, json);
  WriteChanges(found, json);
  WriteFaults(found, json);
  WriteLoads(found, json);
  WriteHosts(found, json);
  json.Key("drop_probability").Number(found.drop_probability);
  json.Key("pick");
  if (found.pick.has_value()) {
    json.Begin('{').Field("address", *found.pick).End('}');
  } else {
    json.Null();
  }
  if (!found.failure.empty()) json.Field("failure", found.failure);
  json.End('}');
  return json.Finish();
}

std::string ExplainText(const RequestOptions& options,
                        const Explanation& found) {
  return absl::StrCat(SummaryText(options, found), RejectedText(found),
                      RewriteText(options, found), LoadsText(found),
                      HostsText(found));
}

}  // namespace meshlib::meshctl
