# What `cmake --install` leaves: public headers, libmeshlib_core.a,
# libmeshlib_testing.a, meshctl, a CMake package (find_package(meshlib) ->
# meshlib::core, meshlib::testing) and a pkg-config file of the core.
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

set(meshlib_cmake_dir ${CMAKE_INSTALL_LIBDIR}/cmake/meshlib)

install(TARGETS meshlib_core meshlib_testing EXPORT meshlibTargets
        ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(DIRECTORY ${PROJECT_SOURCE_DIR}/include/meshlib
        DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}
        FILES_MATCHING PATTERN "*.h")
if(TARGET meshctl)
  install(TARGETS meshctl RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
endif()
install(FILES ${PROJECT_SOURCE_DIR}/LICENSE
        DESTINATION ${CMAKE_INSTALL_DOCDIR})

install(EXPORT meshlibTargets NAMESPACE meshlib::
        DESTINATION ${meshlib_cmake_dir})
configure_package_config_file(
  ${PROJECT_SOURCE_DIR}/cmake/meshlibConfig.cmake.in
  ${PROJECT_BINARY_DIR}/meshlibConfig.cmake
  INSTALL_DESTINATION ${meshlib_cmake_dir})
# Before 1.0 a new minor version may change the source interface.
write_basic_package_version_file(
  ${PROJECT_BINARY_DIR}/meshlibConfigVersion.cmake
  COMPATIBILITY SameMinorVersion)
install(FILES
  ${PROJECT_BINARY_DIR}/meshlibConfig.cmake
  ${PROJECT_BINARY_DIR}/meshlibConfigVersion.cmake
  ${PROJECT_SOURCE_DIR}/cmake/FindBoringSSL.cmake
  ${PROJECT_SOURCE_DIR}/cmake/FindRE2.cmake
  ${PROJECT_SOURCE_DIR}/cmake/Findc-ares.cmake
  ${PROJECT_SOURCE_DIR}/cmake/FindxxHash.cmake
  ${PROJECT_SOURCE_DIR}/cmake/Findnghttp2.cmake
  DESTINATION ${meshlib_cmake_dir})

# The library is static, so all that it links against is what its users link
# against; the list is read from the target, that the two cannot differ.
function(meshlib_pkg_config_requires output)
  get_target_property(libraries meshlib_core INTERFACE_LINK_LIBRARIES)
  set(requires)
  foreach(library IN LISTS libraries)
    string(REGEX REPLACE "^\\$<LINK_ONLY:(.*)>$" "\\1" library "${library}")
    if(library MATCHES "^absl::(.*)$")
      list(APPEND requires absl_${CMAKE_MATCH_1})
    elseif(library STREQUAL "protobuf::libprotobuf")
      list(APPEND requires protobuf)
    elseif(library MATCHES "^(yaml-cpp::)?yaml-cpp$")
      list(APPEND requires yaml-cpp)
    elseif(library STREQUAL "re2::re2")
      list(APPEND requires re2)
    elseif(library STREQUAL "xxHash::xxhash")
      list(APPEND requires libxxhash)
    elseif(library STREQUAL "OpenSSL::SSL")
      list(APPEND requires libssl)
    elseif(library STREQUAL "OpenSSL::Crypto")
      list(APPEND requires libcrypto)
    elseif(library MATCHES "^BoringSSL::")
      # No pkg-config file of its own: by path, below.
    elseif(library STREQUAL "nghttp2::nghttp2")
      list(APPEND requires libnghttp2)
    elseif(library STREQUAL "c-ares::cares")
      list(APPEND requires libcares)
    elseif(NOT library STREQUAL "Threads::Threads")
      message(FATAL_ERROR "meshlib_core links ${library}, for which "
                          "MeshlibInstall.cmake has no pkg-config name")
    endif()
  endforeach()
  list(JOIN requires ", " requires)
  set(${output} "${requires}" PARENT_SCOPE)
endfunction()

meshlib_pkg_config_requires(MESHLIB_PC_REQUIRES)
set(MESHLIB_PC_LIBS "")
if(MESHLIB_TLS STREQUAL "boringssl")
  cmake_path(GET BoringSSL_SSL_LIBRARY PARENT_PATH folder)
  set(MESHLIB_PC_LIBS " ${BoringSSL_SSL_LIBRARY} ${BoringSSL_CRYPTO_LIBRARY}")
  string(APPEND MESHLIB_PC_LIBS " -Wl,-rpath,${folder}")
endif()
foreach(folder LIBDIR INCLUDEDIR)
  if(IS_ABSOLUTE "${CMAKE_INSTALL_${folder}}")
    set(MESHLIB_PC_${folder} "${CMAKE_INSTALL_${folder}}")
  else()
    set(MESHLIB_PC_${folder} "\${prefix}/${CMAKE_INSTALL_${folder}}")
  endif()
endforeach()
# Relative to the file itself, so that the folder may be moved.
file(RELATIVE_PATH MESHLIB_PC_PREFIX /prefix/${CMAKE_INSTALL_LIBDIR}/pkgconfig
     /prefix)
string(REGEX REPLACE "/$" "" MESHLIB_PC_PREFIX
       "\${pcfiledir}/${MESHLIB_PC_PREFIX}")
if(IS_ABSOLUTE "${CMAKE_INSTALL_LIBDIR}")
  set(MESHLIB_PC_PREFIX "${CMAKE_INSTALL_PREFIX}")
endif()
configure_file(${PROJECT_SOURCE_DIR}/cmake/meshlib.pc.in
               ${PROJECT_BINARY_DIR}/meshlib.pc @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/meshlib.pc
        DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
