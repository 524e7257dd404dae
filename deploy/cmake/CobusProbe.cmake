# SPDX-License-Identifier: Apache-2.0
# The refusal of compilers that miscompile coroutines, for cobus itself and, installed, for services outside.

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
  set(COBUS_PROBE_MEND "Install Debian's clang-19 and configure an empty build folder with "
    "-DCMAKE_CXX_COMPILER=clang++-19 (in cobus itself: deploy/install-packages.sh and `cmake --preset release`).")
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
