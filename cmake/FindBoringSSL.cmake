# BoringSSL as Debian's android-libboringssl-dev packages it (headers and
# libraries in folders named android/), or under BORINGSSL_ROOT. The names of
# its files are those of OpenSSL: a header that only BoringSSL has tells.
find_path(BoringSSL_INCLUDE_DIR openssl/is_boringssl.h
          HINTS ${BORINGSSL_ROOT} ENV BORINGSSL_ROOT
          PATH_SUFFIXES include include/android android)
find_library(BoringSSL_SSL_LIBRARY ssl
             HINTS ${BORINGSSL_ROOT} ENV BORINGSSL_ROOT
             PATHS /usr/lib/${CMAKE_LIBRARY_ARCHITECTURE}/android
             PATH_SUFFIXES lib lib/android NO_DEFAULT_PATH)
find_library(BoringSSL_CRYPTO_LIBRARY crypto
             HINTS ${BORINGSSL_ROOT} ENV BORINGSSL_ROOT
             PATHS /usr/lib/${CMAKE_LIBRARY_ARCHITECTURE}/android
             PATH_SUFFIXES lib lib/android NO_DEFAULT_PATH)
include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(
  BoringSSL DEFAULT_MSG BoringSSL_SSL_LIBRARY BoringSSL_CRYPTO_LIBRARY
  BoringSSL_INCLUDE_DIR)
if(BoringSSL_FOUND AND NOT TARGET BoringSSL::SSL)
  add_library(BoringSSL::Crypto UNKNOWN IMPORTED)
  set_target_properties(BoringSSL::Crypto PROPERTIES
    IMPORTED_LOCATION ${BoringSSL_CRYPTO_LIBRARY}
    INTERFACE_INCLUDE_DIRECTORIES ${BoringSSL_INCLUDE_DIR})
  add_library(BoringSSL::SSL UNKNOWN IMPORTED)
  set_target_properties(BoringSSL::SSL PROPERTIES
    IMPORTED_LOCATION ${BoringSSL_SSL_LIBRARY}
    INTERFACE_INCLUDE_DIRECTORIES ${BoringSSL_INCLUDE_DIR}
    INTERFACE_LINK_LIBRARIES BoringSSL::Crypto)
endif()
mark_as_advanced(BoringSSL_INCLUDE_DIR BoringSSL_SSL_LIBRARY
                 BoringSSL_CRYPTO_LIBRARY)
