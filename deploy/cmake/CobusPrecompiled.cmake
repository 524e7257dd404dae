# SPDX-License-Identifier: Apache-2.0
# The libraries' headers, compiled once: half of what a source costs is reading them. Every source still includes
# what it uses; a build with COBUS_PRECOMPILED=OFF (the debug preset) proves it.

option(COBUS_PRECOMPILED "Compile the headers of the libraries once" ON)
if(NOT COBUS_PRECOMPILED)
  function(cobus_precompiled target)
  endfunction()
  return()
endif()

add_compile_options($<$<CXX_COMPILER_ID:Clang>:SHELL:-Xclang$<SEMICOLON>-fno-pch-timestamp>)  # as ccache wants it
file(CONFIGURE OUTPUT ${PROJECT_BINARY_DIR}/precompiled.cpp CONTENT "// Carries the precompiled headers.\nint main() {}\n")

add_library(cobus_precompiled_library STATIC ${PROJECT_BINARY_DIR}/precompiled.cpp)
target_link_libraries(cobus_precompiled_library PRIVATE protobuf::libprotobuf spdlog::spdlog nlohmann_json::nlohmann_json)
set(headers
  <algorithm> <array> <atomic> <charconv> <chrono> <condition_variable> <coroutine> <cstdint> <cstring> <deque> <exception>
  <filesystem> <functional> <map> <memory> <mutex> <optional> <set> <sstream> <string> <string_view> <thread> <unordered_map>
  <unordered_set> <utility> <variant> <vector>
  <fmt/format.h> <nlohmann/json.hpp> <spdlog/spdlog.h>
  <google/protobuf/arena.h> <google/protobuf/descriptor.h> <google/protobuf/descriptor.pb.h>
  <google/protobuf/generated_message_reflection.h>
  <google/protobuf/io/coded_stream.h> <google/protobuf/map_field_inl.h> <google/protobuf/message.h>
  <google/protobuf/reflection_ops.h> <google/protobuf/unknown_field_set.h> <google/protobuf/wire_format.h>)
target_precompile_headers(cobus_precompiled_library PRIVATE ${headers})
if(COBUS_TESTS)
  add_executable(cobus_precompiled_test ${PROJECT_BINARY_DIR}/precompiled.cpp)
  target_link_libraries(cobus_precompiled_test PRIVATE protobuf::libprotobuf spdlog::spdlog nlohmann_json::nlohmann_json GTest::gmock)
  target_precompile_headers(cobus_precompiled_test PRIVATE ${headers} <fstream> <gmock/gmock.h> <gtest/gtest.h>)
endif()

# cobus_precompiled(TARGET [test]): the target's sources are compiled with them; other programs than tests are
# without, since a program is compiled as one (-fPIE) and is a single small source.
function(cobus_precompiled target)
  get_target_property(type ${target} TYPE)
  if("test" IN_LIST ARGN)
    target_precompile_headers(${target} REUSE_FROM cobus_precompiled_test)
  elseif(NOT type STREQUAL "EXECUTABLE")
    target_precompile_headers(${target} REUSE_FROM cobus_precompiled_library)
  endif()
endfunction()
