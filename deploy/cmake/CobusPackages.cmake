# SPDX-License-Identifier: Apache-2.0
# The libraries cobus stands on. All are Debian 12 packages; deploy/packages.txt lists them.

find_package(Threads REQUIRED)
find_package(Protobuf REQUIRED)
# CMake's own module forgets what libprotoc stands on.
set_property(TARGET protobuf::libprotoc APPEND PROPERTY INTERFACE_LINK_LIBRARIES protobuf::libprotobuf)
find_package(PkgConfig REQUIRED)
find_package(spdlog REQUIRED)
find_package(CLI11 REQUIRED)
find_package(nlohmann_json REQUIRED)
find_package(tomlplusplus REQUIRED)
pkg_check_modules(libzmq REQUIRED IMPORTED_TARGET libzmq)
pkg_check_modules(libsodium REQUIRED IMPORTED_TARGET libsodium)
pkg_check_modules(sqlite3 REQUIRED IMPORTED_TARGET sqlite3)
find_package(SQLiteCpp REQUIRED)
if(COBUS_TESTS)
  find_package(GTest REQUIRED)
endif()
if(COBUS_BENCH)
  find_package(benchmark REQUIRED)
endif()
