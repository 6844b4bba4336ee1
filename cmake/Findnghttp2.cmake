# nghttp2: Debian's package has no CMake configuration, Conan's has another
# name for the target.
find_package(libnghttp2 CONFIG QUIET)
if(TARGET libnghttp2::nghttp2)
  set(nghttp2_FOUND TRUE)
  if(NOT TARGET nghttp2::nghttp2)
    add_library(nghttp2::nghttp2 INTERFACE IMPORTED)
    set_target_properties(nghttp2::nghttp2 PROPERTIES
                          INTERFACE_LINK_LIBRARIES libnghttp2::nghttp2)
  endif()
  return()
endif()
find_path(nghttp2_INCLUDE_DIR nghttp2/nghttp2.h)
find_library(nghttp2_LIBRARY nghttp2)
include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(nghttp2 DEFAULT_MSG
                                  nghttp2_LIBRARY nghttp2_INCLUDE_DIR)
if(nghttp2_FOUND AND NOT TARGET nghttp2::nghttp2)
  add_library(nghttp2::nghttp2 UNKNOWN IMPORTED)
  set_target_properties(nghttp2::nghttp2 PROPERTIES
    IMPORTED_LOCATION ${nghttp2_LIBRARY}
    INTERFACE_INCLUDE_DIRECTORIES ${nghttp2_INCLUDE_DIR})
endif()
mark_as_advanced(nghttp2_INCLUDE_DIR nghttp2_LIBRARY)
