#ifndef MESHLIB_BASE_NO_THROW_H_
#define MESHLIB_BASE_NO_THROW_H_

#include <exception>
#include <new>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

namespace meshlib::base {

// What `work` gives, a Status or StatusOr. What it throws becomes one:
// ResourceExhausted where memory ran out, else Internal. For the edges of the
// library, which no exception may cross.
template <typename F>
auto NoThrow(F&& work) -> decltype(std::forward<F>(work)()) {
  try {
    return std::forward<F>(work)();
  } catch (const std::bad_alloc&) {
    return absl::ResourceExhaustedError("out of memory");
  } catch (const std::exception& error) {
    return absl::InternalError(absl::StrCat("exception: ", error.what()));
  } catch (...) {
    return absl::InternalError("an exception of unknown type");
  }
}

}  // namespace meshlib::base

#endif  // MESHLIB_BASE_NO_THROW_H_
