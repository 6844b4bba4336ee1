# c-ares: Debian's package has no CMake configuration, Conan's names the target
# c-ares::cares.
find_package(c-ares CONFIG QUIET)
if(TARGET c-ares::cares)
  set(c-ares_FOUND TRUE)
  return()
endif()
find_path(c-ares_INCLUDE_DIR ares.h)
find_library(c-ares_LIBRARY cares)
include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(c-ares DEFAULT_MSG
                                  c-ares_LIBRARY c-ares_INCLUDE_DIR)
if(c-ares_FOUND AND NOT TARGET c-ares::cares)
  add_library(c-ares::cares UNKNOWN IMPORTED)
  set_target_properties(c-ares::cares PROPERTIES
    IMPORTED_LOCATION ${c-ares_LIBRARY}
    INTERFACE_INCLUDE_DIRECTORIES ${c-ares_INCLUDE_DIR})
endif()
mark_as_advanced(c-ares_INCLUDE_DIR c-ares_LIBRARY)
