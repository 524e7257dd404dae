# SPDX-License-Identifier: Apache-2.0
# How everything is compiled, and the refusal of compilers that miscompile coroutines.

if(NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE Release CACHE STRING "" FORCE)
endif()
set(CMAKE_CXX_STANDARD 23)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_CXX_FLAGS_RELEASE "-O2 -g1")      # CHECK stays on: no -DNDEBUG
set(CMAKE_CXX_FLAGS_RELWITHDEBINFO "-O1 -g1 -fno-omit-frame-pointer")
set(CMAKE_CXX_FLAGS_DEBUG "-O0 -g")

set(COBUS_SANITIZE "" CACHE STRING "Sanitizers, as -fsanitize= takes them")
if(COBUS_SANITIZE)
  add_compile_options(-fsanitize=${COBUS_SANITIZE} -fno-sanitize-recover=all)
  add_link_options(-fsanitize=${COBUS_SANITIZE})
endif()
if(COBUS_FUZZ)
  add_compile_options(-fsanitize=fuzzer-no-link)
endif()

find_program(CCACHE ccache)
if(CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CCACHE})
endif()
find_program(LLD NAMES ld.lld-19)
if(LLD AND CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
  add_link_options(-fuse-ld=lld)
endif()

# Compiles and runs the coroutine shapes that GCC 12 and others get wrong, as a release build would,
# once for each compiler and version of the probe.
set(COBUS_PROBE ${CMAKE_CURRENT_LIST_DIR}/coroutine_probe.cpp)
file(SHA256 ${COBUS_PROBE} COBUS_PROBE_HASH)
string(APPEND COBUS_PROBE_HASH " ${CMAKE_CXX_COMPILER_ID} ${CMAKE_CXX_COMPILER_VERSION}")
if(NOT COBUS_PROBE_PASSED STREQUAL COBUS_PROBE_HASH)
  message(STATUS "Checking that ${CMAKE_CXX_COMPILER} compiles coroutines correctly")
  set(CMAKE_TRY_COMPILE_CONFIGURATION Release)
  try_run(COBUS_PROBE_EXIT COBUS_PROBE_COMPILED SOURCES ${COBUS_PROBE}
    CXX_STANDARD 23 CXX_STANDARD_REQUIRED ON
    COMPILE_OUTPUT_VARIABLE COBUS_PROBE_ERRORS RUN_OUTPUT_VARIABLE COBUS_PROBE_OUTPUT)
  set(COBUS_PROBE_MEND "Install clang-19 (deploy/install-packages.sh does) and configure in an empty build folder "
    "with -DCMAKE_CXX_COMPILER=clang++-19, or with `cmake --preset release`, which does.")
  if(NOT COBUS_PROBE_COMPILED)
    message(FATAL_ERROR "The coroutine probe does not compile with ${CMAKE_CXX_COMPILER}; cobus needs C++23.\n"
      ${COBUS_PROBE_MEND} "\n" "${COBUS_PROBE_ERRORS}")
  elseif(NOT COBUS_PROBE_EXIT EQUAL 0)
    message(FATAL_ERROR "${CMAKE_CXX_COMPILER} ${CMAKE_CXX_COMPILER_VERSION} miscompiles coroutines silently, "
      "so what it builds would corrupt memory:\n${COBUS_PROBE_OUTPUT}" ${COBUS_PROBE_MEND})
  endif()
  unset(CMAKE_TRY_COMPILE_CONFIGURATION)
  set(COBUS_PROBE_PASSED "${COBUS_PROBE_HASH}" CACHE INTERNAL "the probe and the compiler that passed it")
endif()

# For our own targets; generated code is compiled without.
function(cobus_warnings target)
  target_compile_options(${target} PRIVATE -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wnon-virtual-dtor
    -Wno-sign-conversion -Werror)
endfunction()
