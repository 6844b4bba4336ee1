# Compiler settings that hold for every target of this project.
if(PROJECT_IS_TOP_LEVEL)
  if(NOT CMAKE_BUILD_TYPE AND NOT CMAKE_CONFIGURATION_TYPES)
    set(CMAKE_BUILD_TYPE RelWithDebInfo CACHE STRING "Build type" FORCE)
  endif()
  set(CMAKE_CXX_STANDARD 17)
  set(CMAKE_CXX_STANDARD_REQUIRED ON)
  set(CMAKE_CXX_EXTENSIONS OFF)
  set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
  find_program(MESHLIB_CCACHE ccache)
  if(MESHLIB_CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
    set(CMAKE_CXX_COMPILER_LAUNCHER ${MESHLIB_CCACHE})
  endif()
endif()
set(CMAKE_POSITION_INDEPENDENT_CODE ON)

# Small debug information: full -g triples the size of the build folder.
string(REPLACE "-O2 -g" "-O2 -g1" CMAKE_CXX_FLAGS_RELWITHDEBINFO
       "${CMAKE_CXX_FLAGS_RELWITHDEBINFO}")

add_library(meshlib_settings INTERFACE)
target_compile_features(meshlib_settings INTERFACE cxx_std_17)
target_compile_options(meshlib_settings INTERFACE
  -Wall -Wextra -Wno-unused-parameter -fvisibility=hidden
  $<$<CXX_COMPILER_ID:Clang>:-Wthread-safety -Werror=thread-safety>
  $<$<BOOL:${MESHLIB_WERROR}>:-Werror>)

if(MESHLIB_SANITIZE STREQUAL "address")
  add_compile_options(-fsanitize=address,undefined -fno-sanitize-recover=all
                      -fno-omit-frame-pointer -O1 -g1)
  add_link_options(-fsanitize=address,undefined)
elseif(MESHLIB_SANITIZE STREQUAL "thread")
  # The headers of an uninstrumented libprotobuf must not add the members that
  # they have under TSan: the layouts would differ.
  add_compile_options(-U__SANITIZE_THREAD__ -DMESHLIB_TSAN=1
                      -fsanitize=thread -fno-omit-frame-pointer -O1 -g1)
  add_link_options(-fsanitize=thread)
elseif(NOT MESHLIB_SANITIZE STREQUAL "")
  message(FATAL_ERROR "MESHLIB_SANITIZE is \"${MESHLIB_SANITIZE}\", want "
                      "address or thread")
endif()

# Everything that a fuzzer is to find its way through.
if(MESHLIB_BUILD_FUZZERS)
  add_compile_options(-fsanitize=fuzzer-no-link)
endif()
