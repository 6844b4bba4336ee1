#ifndef MESHLIB_XDS_JSON_READER_H_
#define MESHLIB_XDS_JSON_READER_H_

#include <cstddef>
#include <string_view>

#include "xds/document_sink.h"
#include "xds/loader_text.h"
#include "xds/problem.h"

namespace meshlib::xds {

// Maps and lists in each other deeper than this end the reading.
inline constexpr int kMaxJsonDepth = 500;

// Reads one JSON value (RFC 8259, no comments) and passes it on as events.
// `text` must have passed CheckText() and be followed by a NUL byte; it is
// overwritten, as strings are decoded in place. A broken syntax is one problem,
// with its line, and ends the reading: what was read until then has been passed
// on. Returns whether the whole text was read.
bool ReadJson(char* text, size_t size, std::string_view file,
              DocumentSink& sink, Problems& problems,
              const PassedFn& passed = nullptr);

}  // namespace meshlib::xds

#endif  // MESHLIB_XDS_JSON_READER_H_
