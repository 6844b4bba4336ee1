#ifndef MESHLIB_ROUTING_VALUE_FORMAT_H_
#define MESHLIB_ROUTING_VALUE_FORMAT_H_

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "meshlib/request.h"
#include "routing/header_list.h"

namespace meshlib::routing {

// What the commands of a header value may refer to; all of it borrowed.
struct FormatContext {
  const Request& request;
  const HeaderList& request_headers;             // as changed so far
  const HeaderList* response_headers = nullptr;  // null: none yet
  std::string_view route_name;
  std::string_view cluster;
};

// A header value with Envoy's %COMMAND%s, parsed once:
//   %%                    a percent sign
//   %REQ(X?Y):N%          request header X, else Y, cut to N bytes
//   %RESP(X?Y):N%         the same of the response
//   %ROUTE_NAME%          the route's name
//   %UPSTREAM_CLUSTER%    the chosen cluster's name
//   %PROTOCOL%            empty: not known where routes are applied
// A missing value is empty. Every other command, which would need a
// connection, and a percent sign that begins no command stay as they are
// written.
class ValueFormat {
 public:
  explicit ValueFormat(std::string_view text);

  std::string Format(const FormatContext& context) const;

 private:
  enum class Kind {
    kLiteral,
    kRequestHeader,
    kResponseHeader,
    kRouteName,
    kCluster,
    kNothing,
  };
  struct Part {
    Kind kind = Kind::kLiteral;
    std::string text;         // the literal or header name
    std::string alternative;  // header name, may be empty
    size_t max_size = std::string::npos;
  };

  static bool ParseCommand(std::string_view command, Part* part);
  static bool ParseHeaderCommand(std::string_view arguments, Part* part);
  // May point into `storage`.
  static std::string_view Value(const Part& part, const FormatContext& context,
                                std::string& storage);
  void AddLiteral(std::string_view text);

  std::vector<Part> parts_;
};

}  // namespace meshlib::routing

#endif  // MESHLIB_ROUTING_VALUE_FORMAT_H_
