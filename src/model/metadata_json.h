#ifndef MESHLIB_MODEL_METADATA_JSON_H_
#define MESHLIB_MODEL_METADATA_JSON_H_

#include <string>

#include "model/metadata.h"

namespace meshlib::model {

// Metadata as one JSON object, filter by filter; keys in order.
std::string MetadataJson(const Metadata& metadata);

}  // namespace meshlib::model

#endif  // MESHLIB_MODEL_METADATA_JSON_H_
