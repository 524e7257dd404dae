# SPDX-License-Identifier: Apache-2.0
# cmake --install: programs, headers, schemas and the package that find_package(cobus) finds.

install(TARGETS protoc-gen-cobus RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
