#ifndef MESHLIB_TEST_INTEROP_CALLS_H_
#define MESHLIB_TEST_INTEROP_CALLS_H_

#include <string>

namespace meshlib::interop {

// Makes the calls of the checks of these names ("hello", "echo", ...) through
// the mesh of a file to "http://peer/..."; says on standard output which of
// them failed, and why. The exit status: 0 if all is well.
int RunCalls(const std::string& mesh_file, int check_count, char** check_names);

}  // namespace meshlib::interop

#endif  // MESHLIB_TEST_INTEROP_CALLS_H_
