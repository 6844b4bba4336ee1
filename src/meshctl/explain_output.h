#ifndef MESHLIB_MESHCTL_EXPLAIN_OUTPUT_H_
#define MESHLIB_MESHCTL_EXPLAIN_OUTPUT_H_

#include <string>

#include "meshctl/commands.h"
#include "meshlib/explain.h"

namespace meshlib::meshctl {

// What `meshctl explain` prints of an explanation.

// One JSON object. A host's "reported_weight" is there if it has one.
std::string ExplainJson(const Explanation& found);

// Tables for people; `options` is the request that was asked about.
std::string ExplainText(const RequestOptions& options,
                        const Explanation& found);

}  // namespace meshlib::meshctl

#endif  // MESHLIB_MESHCTL_EXPLAIN_OUTPUT_H_
