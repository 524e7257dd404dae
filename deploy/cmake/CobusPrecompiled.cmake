# SPDX-License-Identifier: Apache-2.0
# Precompiled headers: the headers of the libraries, compiled once, because reading them is half of what a source costs.
# Every source still includes what it uses; a build with COBUS_PRECOMPILED=OFF (the debug preset) proves it.
#
# CMake's own target_precompile_headers puts the absolute path of the build folder into every command, so that no other checkout
# can take anything from the compiler cache. Here the precompiled header is named relative to the build folder, in which Ninja
# runs every command. Clang writes the absolute path of the source into the precompiled header itself, so each checkout makes its own, and
# ccache reads the file NAME.sum beside it instead (CCACHE_PCH_EXTSUM): a hash of what the headers say.

option(COBUS_PRECOMPILED "Compile the headers of the libraries once" ON)
if(NOT COBUS_PRECOMPILED OR NOT CMAKE_CXX_COMPILER_ID STREQUAL "Clang" OR NOT CMAKE_GENERATOR STREQUAL "Ninja")
  function(cobus_precompiled target)
  endfunction()
  return()
endif()

# An object library whose one "object" is a precompiled header.
function(cobus_precompiled_header name)
  cmake_parse_arguments(ARG "" "" "HEADERS;LIBS" ${ARGN})
  list(TRANSFORM ARG_HEADERS PREPEND "#include ")
  list(JOIN ARG_HEADERS "\n" text)
  file(CONFIGURE OUTPUT ${PROJECT_BINARY_DIR}/${name}.hpp.cxx CONTENT "${text}\n")
  add_library(${name} OBJECT ${PROJECT_BINARY_DIR}/${name}.hpp.cxx)
  target_compile_options(${name} PRIVATE "SHELL:-x c++-header" "SHELL:-Xclang -fno-pch-timestamp" -fpch-instantiate-templates)
  target_link_libraries(${name} PRIVATE ${ARG_LIBS})
  set_target_properties(${name} PROPERTIES CXX_COMPILER_LAUNCHER "")
  execute_process(COMMAND ${CMAKE_CXX_COMPILER} -std=c++${CMAKE_CXX_STANDARD} -E -x c++ -P ${PROJECT_BINARY_DIR}/${name}.hpp.cxx
    OUTPUT_VARIABLE preprocessed ERROR_VARIABLE problem RESULT_VARIABLE code)
  if(NOT code EQUAL 0)
    message(FATAL_ERROR "${CMAKE_CXX_COMPILER} cannot read the headers of the libraries; deploy/install-packages.sh installs them:\n${problem}")
  endif()
  string(SHA256 sum "${preprocessed}")
  file(CONFIGURE OUTPUT ${PROJECT_BINARY_DIR}/CMakeFiles/${name}.dir/${name}.hpp.cxx.o.sum CONTENT "${sum}\n")
endfunction()

set(headers
  <algorithm> <array> <atomic> <charconv> <chrono> <condition_variable> <coroutine> <cstdint> <cstring> <deque> <exception>
  <filesystem> <functional> <map> <memory> <mutex> <optional> <set> <sstream> <string> <string_view> <thread> <unordered_map>
  <unordered_set> <utility> <variant> <vector>
  <fmt/format.h> <nlohmann/json.hpp> <spdlog/spdlog.h>
  <google/protobuf/arena.h> <google/protobuf/descriptor.h> <google/protobuf/descriptor.pb.h>
  <google/protobuf/generated_message_reflection.h>
  <google/protobuf/io/coded_stream.h> <google/protobuf/map_field_inl.h> <google/protobuf/message.h>
  <google/protobuf/reflection_ops.h> <google/protobuf/unknown_field_set.h> <google/protobuf/wire_format.h>)
set(libraries protobuf::libprotobuf spdlog::spdlog nlohmann_json::nlohmann_json)
cobus_precompiled_header(cobus_precompiled_library HEADERS ${headers} LIBS ${libraries})
if(COBUS_TESTS)
  cobus_precompiled_header(cobus_precompiled_test HEADERS ${headers} <fstream> <gmock/gmock.h> <gtest/gtest.h>
    LIBS ${libraries} GTest::gmock)
  # Tests are programs, which CMake compiles with -fPIE, and a precompiled header is for one of the two.
  set_target_properties(cobus_precompiled_test PROPERTIES POSITION_INDEPENDENT_CODE OFF)
  target_compile_options(cobus_precompiled_test PRIVATE -fPIE)
endif()

# cobus_precompiled(TARGET [test]): compiles the target's sources with them. Programs other than tests go without: a program
# is compiled position-dependent (-fPIE) and is a single small source.
function(cobus_precompiled target)
  get_target_property(type ${target} TYPE)
  if("test" IN_LIST ARGN)
    set(header cobus_precompiled_test)
  elseif(NOT type STREQUAL "EXECUTABLE")
    set(header cobus_precompiled_library)
  else()
    return()
  endif()
  file(RELATIVE_PATH folder ${CMAKE_BINARY_DIR} ${PROJECT_BINARY_DIR})
  set(file CMakeFiles/${header}.dir/${header}.hpp.cxx.o)
  target_compile_options(${target} PRIVATE "SHELL:-include-pch ${folder}${file}")
  # At the end of the folder's CMakeLists.txt, when the target has all its sources: a dependency of the target alone would not make
  # its sources wait for the object of another target.
  cmake_language(EVAL CODE "cmake_language(DEFER CALL _cobus_precompiled_first [[${target}]] [[${PROJECT_BINARY_DIR}/${file}]])")
endfunction()

function(_cobus_precompiled_first target file)
  get_target_property(sources ${target} SOURCES)
  set_property(SOURCE ${sources} APPEND PROPERTY OBJECT_DEPENDS ${file})
endfunction()
