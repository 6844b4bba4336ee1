#ifndef MESHLIB_XDS_YAML_READER_H_
#define MESHLIB_XDS_YAML_READER_H_

#include <cstddef>
#include <string_view>

#include "xds/document_sink.h"
#include "xds/loader_text.h"
#include "xds/problem.h"

namespace meshlib::xds {

// What the aliases of one text may expand to, all together: a text of a few
// hundred bytes could otherwise stand for billions of nodes.
inline constexpr size_t kMaxAliasNodes = 1000000;
inline constexpr size_t kMaxAliasBytes = size_t{64} << 20;

// Reads YAML documents and passes them on as events, aliases expanded. `text`
// must have passed CheckText(). A broken syntax is one problem, with its line,
// and ends the reading: what was read until then has been passed on. As in
// Envoy, a key tagged !ignore is left out together with its value. Returns
// whether the whole text was read.
bool ReadYaml(std::string_view text, std::string_view file, DocumentSink& sink,
              Problems& problems, const PassedFn& passed = nullptr);

}  // namespace meshlib::xds

#endif  // MESHLIB_XDS_YAML_READER_H_
