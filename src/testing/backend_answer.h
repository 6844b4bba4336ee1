#ifndef MESHLIB_TESTING_BACKEND_ANSWER_H_
#define MESHLIB_TESTING_BACKEND_ANSWER_H_

#include "meshlib/testing/backend.h"

namespace meshlib::testing {

// Does as the request's x-backend headers say. Values that cannot be read
// change nothing.
void ApplyHeaders(const BackendRequest& request, BackendAnswer& answer);

}  // namespace meshlib::testing

#endif  // MESHLIB_TESTING_BACKEND_ANSWER_H_
