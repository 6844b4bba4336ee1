# meshlib_module(NAME SOURCES ... DEPS ... PUBLIC_DEPS ...)
# One layer of src/: a static library meshlib_NAME, whose objects go into
# libmeshlib_core.a too unless NO_CORE is given.
function(meshlib_module name)
  cmake_parse_arguments(ARG "NO_CORE" "" "SOURCES;DEPS;PUBLIC_DEPS" ${ARGN})
  set(target meshlib_${name})
  add_library(${target} STATIC ${ARG_SOURCES})
  target_include_directories(${target} PUBLIC
    $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/include>
    $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/src>)
  target_link_libraries(${target} PUBLIC ${ARG_PUBLIC_DEPS}
                        PRIVATE meshlib_settings ${ARG_DEPS})
  if(NOT ARG_NO_CORE)
    set_property(GLOBAL APPEND PROPERTY MESHLIB_CORE_MODULES ${target})
  endif()
endfunction()

# meshlib_module_tests(NAME SOURCES ... DEPS ...)
# One test program for a layer; every test of it is a test of ctest.
function(meshlib_module_tests name)
  cmake_parse_arguments(ARG "" "" "SOURCES;DEPS" ${ARGN})
  set(target meshlib_${name}_tests)
  add_executable(${target} ${ARG_SOURCES})
  target_include_directories(${target} PRIVATE ${PROJECT_SOURCE_DIR})
  target_link_libraries(${target} PRIVATE meshlib_settings ${ARG_DEPS}
                        GTest::gmock GTest::gtest GTest::gtest_main)
  # MESHLIB_SOURCE_DIR only for the files that name it (as this configure run
  # saw them): a path in every command would keep ccache from sharing objects
  # between checkouts.
  foreach(source IN LISTS ARG_SOURCES)
    get_filename_component(path ${source} ABSOLUTE)
    set(uses "")
    if(EXISTS ${path})
      file(STRINGS ${path} uses REGEX "MESHLIB_SOURCE_DIR" LIMIT_COUNT 1)
    endif()
    if(uses)
      set_source_files_properties(${source} PROPERTIES COMPILE_DEFINITIONS
        MESHLIB_SOURCE_DIR="${PROJECT_SOURCE_DIR}")
    endif()
  endforeach()
  gtest_discover_tests(${target} TEST_PREFIX ${name}. DISCOVERY_MODE PRE_TEST
                       DISCOVERY_TIMEOUT 60 PROPERTIES TIMEOUT 300)
endfunction()

# meshlib_benchmark(NAME SOURCES ... DEPS ...)
function(meshlib_benchmark name)
  cmake_parse_arguments(ARG "" "" "SOURCES;DEPS" ${ARGN})
  add_executable(${name} ${ARG_SOURCES})
  target_include_directories(${name} PRIVATE ${PROJECT_SOURCE_DIR})
  target_link_libraries(${name} PRIVATE meshlib_settings ${ARG_DEPS}
                        benchmark::benchmark)
endfunction()

# meshlib_fuzzer(NAME SOURCES ... DEPS ...)
function(meshlib_fuzzer name)
  if(NOT MESHLIB_BUILD_FUZZERS)
    return()
  endif()
  cmake_parse_arguments(ARG "" "" "SOURCES;DEPS" ${ARGN})
  add_executable(${name} ${ARG_SOURCES})
  target_include_directories(${name} PRIVATE ${PROJECT_SOURCE_DIR})
  target_link_libraries(${name} PRIVATE meshlib_settings ${ARG_DEPS})
  target_link_options(${name} PRIVATE -fsanitize=fuzzer)
  set_target_properties(${name} PROPERTIES
    RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/fuzzers)
  if(NOT TARGET meshlib_fuzzers)
    add_custom_target(meshlib_fuzzers)
  endif()
  add_dependencies(meshlib_fuzzers ${name})
endfunction()
