# SPDX-License-Identifier: Apache-2.0
# How everything is compiled.

if(NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE Release CACHE STRING "" FORCE)
endif()
set(CMAKE_RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/bin)
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
  # The sloppiness is what ccache asks for with precompiled headers; no source here uses __TIME__. A base folder, and a working folder
  # that does not count, let one checkout take what another one compiled. In depend mode the compiler's own list of what it
  # read, the precompiled headers among it, decides whether an object is still right.
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CMAKE_COMMAND} -E env CCACHE_SLOPPINESS=pch_defines,time_macros CCACHE_PCH_EXTSUM=1 CCACHE_DEPEND=1
    CCACHE_BASEDIR=${PROJECT_SOURCE_DIR} CCACHE_NOHASHDIR=1 ${CCACHE})
endif()
find_program(LLD NAMES ld.lld-19)
if(LLD AND CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
  add_link_options(-fuse-ld=lld)
endif()

include(CobusProbe)  # refuses compilers that miscompile coroutines

# For our own targets; generated code is compiled without the warnings. cobus_compile(TARGET [test])
function(cobus_compile target)
  target_compile_options(${target} PRIVATE -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wnon-virtual-dtor
    -Wno-sign-conversion -Werror)
  cobus_precompiled(${target} ${ARGN})
endfunction()
