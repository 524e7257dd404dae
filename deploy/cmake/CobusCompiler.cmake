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

# Compiles and runs the coroutine shapes that GCC 12 and others get wrong
# (deploy/cmake/coroutine_probe.cpp), once a configuration.
if(NOT COBUS_COROUTINES_WORK)
  try_run(COBUS_PROBE_EXIT COBUS_PROBE_COMPILED
    SOURCES ${CMAKE_CURRENT_LIST_DIR}/coroutine_probe.cpp
    CXX_STANDARD 23 CXX_STANDARD_REQUIRED ON
    COMPILE_OUTPUT_VARIABLE COBUS_PROBE_COMPILE_OUTPUT
    RUN_OUTPUT_VARIABLE COBUS_PROBE_OUTPUT)
  if(NOT COBUS_PROBE_COMPILED)
    message(FATAL_ERROR "The coroutine probe does not compile with ${CMAKE_CXX_COMPILER}. "
      "cobus needs C++23: install clang-19 and use -DCMAKE_CXX_COMPILER=clang++-19.\n${COBUS_PROBE_COMPILE_OUTPUT}")
  elseif(NOT COBUS_PROBE_EXIT EQUAL 0)
    message(FATAL_ERROR "${CMAKE_CXX_COMPILER} ${CMAKE_CXX_COMPILER_VERSION} miscompiles coroutines, silently: "
      "${COBUS_PROBE_OUTPUT}\nInstall clang-19 and use -DCMAKE_CXX_COMPILER=clang++-19.")
  endif()
  set(COBUS_COROUTINES_WORK ON CACHE INTERNAL "the compiler passed the coroutine probe")
endif()

# For our own targets; generated code is compiled without.
function(cobus_warnings target)
  target_compile_options(${target} PRIVATE -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wnon-virtual-dtor
    -Wno-sign-conversion -Werror)
endfunction()
