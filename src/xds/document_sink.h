#ifndef MESHLIB_XDS_DOCUMENT_SINK_H_
#define MESHLIB_XDS_DOCUMENT_SINK_H_

#include "xds/event_sink.h"

namespace meshlib::xds {

// Takes the documents of a text one after the other: JSON has one, YAML any
// number. An empty YAML document is a Null event.
class DocumentSink : public EventSink {
 public:
  virtual void BeginDocument(Position at) = 0;
  virtual void EndDocument() = 0;
  // Instead of EndDocument: the syntax is broken, nothing more will come.
  virtual void AbortDocument() = 0;
};

}  // namespace meshlib::xds

#endif  // MESHLIB_XDS_DOCUMENT_SINK_H_
