#ifndef MESHLIB_TEST_INTEROP_XDS_CLIENT_H_
#define MESHLIB_TEST_INTEROP_XDS_CLIENT_H_

#include <string>

namespace meshlib::interop {

// A client of a mesh that a control plane configures: answers each line of
// standard input with one line, until that ends. URLs are of GET requests.
//   get URL COUNT   {"ok": N, "failed": N, "hosts": {ADDRESS: N}, "error":
//   TEXT} ready AUTHORITY "ok", or why it is not after ten seconds load URL
//   sends one request after the other, until stop            which answers as
//   `get` does
// Returns the exit status.
int Discover(const std::string& bootstrap);

}  // namespace meshlib::interop

#endif  // MESHLIB_TEST_INTEROP_XDS_CLIENT_H_
