# SPDX-License-Identifier: Apache-2.0
# cmake --install: programs, headers, schemas, libraries and the package that find_package(cobus) finds.
#   bin/                     cobus-broker, cobus-node, cobus, protoc-gen-cobus
#   include/cobus/           the public headers; include/cobus/internal/ what they include
#   share/cobus/proto/       the schemas, to import
#   lib/                     the libraries of cobus::client, cobus::local and cobus::testing
#   lib/cmake/cobus/         cobus_add_service, cobus_add_messages, cobus_protobuf, and the targets
#                            cobus::service, cobus::client, cobus::local, cobus::testing,
#                            cobus::protoc-gen-cobus, cobus::cobus-node
include(CMakePackageConfigHelpers)

set(COBUS_INSTALL_HEADERS ${CMAKE_INSTALL_INCLUDEDIR}/cobus)
set(COBUS_INSTALL_INTERNAL ${CMAKE_INSTALL_INCLUDEDIR}/cobus/internal)
set(COBUS_INSTALL_PROTO ${CMAKE_INSTALL_DATADIR}/cobus/proto)
set(COBUS_INSTALL_PACKAGE ${CMAKE_INSTALL_LIBDIR}/cmake/cobus)

# What a module of services compiles against. It links to no library of cobus: its symbols are those of the
# program that loads it, so that both share one runtime.
set_target_properties(cobus_service PROPERTIES EXPORT_NAME service)
target_link_libraries(cobus_service INTERFACE protobuf::libprotobuf)
# What a program links that runs workers itself: as a client, in a node of its own, in a unit test.
set_target_properties(cobus_client PROPERTIES EXPORT_NAME client)
set_target_properties(cobus_local PROPERTIES EXPORT_NAME local)
set_target_properties(cobus_testing PROPERTIES EXPORT_NAME testing)
foreach(base cobus_service cobus_proto)
  target_compile_features(${base} INTERFACE cxx_std_23)
  target_include_directories(${base} INTERFACE
    $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}> $<INSTALL_INTERFACE:${COBUS_INSTALL_INTERNAL}>)
endforeach()

install(TARGETS cobus-broker cobus-node cobus protoc-gen-cobus cobus_service cobus_client cobus_local cobus_testing
    cobus_cluster cobus_link cobus_proto cobus_runtime cobus_system cobus_worker EXPORT cobusTargets
  RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR} ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(EXPORT cobusTargets NAMESPACE cobus:: DESTINATION ${COBUS_INSTALL_PACKAGE})

install(DIRECTORY ${PROJECT_SOURCE_DIR}/node/include/cobus/ ${PROJECT_SOURCE_DIR}/client/include/cobus/
  DESTINATION ${COBUS_INSTALL_HEADERS} FILES_MATCHING PATTERN "*.hpp")
install(DIRECTORY ${PROJECT_SOURCE_DIR}/node/runtime ${PROJECT_SOURCE_DIR}/node/link ${PROJECT_SOURCE_DIR}/node/worker
    ${PROJECT_SOURCE_DIR}/node/cluster
  DESTINATION ${COBUS_INSTALL_INTERNAL}/node FILES_MATCHING PATTERN "*.hpp" PATTERN "zmq_*" EXCLUDE PATTERN "sim_*" EXCLUDE)
install(FILES ${PROJECT_SOURCE_DIR}/client/session.hpp DESTINATION ${COBUS_INSTALL_INTERNAL}/client)
install(DIRECTORY ${PROJECT_SOURCE_DIR}/proto DESTINATION ${COBUS_INSTALL_INTERNAL}
  FILES_MATCHING PATTERN "*.hpp" PATTERN "cobus" EXCLUDE PATTERN "docs" EXCLUDE PATTERN "plugin" EXCLUDE)
install(DIRECTORY ${PROJECT_BINARY_DIR}/proto/generated/cobus ${PROJECT_BINARY_DIR}/node/generated/cobus
  DESTINATION ${COBUS_INSTALL_INTERNAL} FILES_MATCHING PATTERN "*.pb.h" PATTERN "*.cobus.h")
install(DIRECTORY ${PROJECT_SOURCE_DIR}/proto/cobus DESTINATION ${COBUS_INSTALL_PROTO} FILES_MATCHING PATTERN "*.proto")

configure_package_config_file(${CMAKE_CURRENT_LIST_DIR}/cobusConfig.cmake.in ${PROJECT_BINARY_DIR}/cobusConfig.cmake
  INSTALL_DESTINATION ${COBUS_INSTALL_PACKAGE} PATH_VARS COBUS_INSTALL_PROTO)
write_basic_package_version_file(${PROJECT_BINARY_DIR}/cobusConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/cobusConfig.cmake ${PROJECT_BINARY_DIR}/cobusConfigVersion.cmake
  ${CMAKE_CURRENT_LIST_DIR}/CobusService.cmake ${CMAKE_CURRENT_LIST_DIR}/CobusProbe.cmake
  ${CMAKE_CURRENT_LIST_DIR}/coroutine_probe.cpp DESTINATION ${COBUS_INSTALL_PACKAGE})
install(FILES ${PROJECT_SOURCE_DIR}/LICENSE DESTINATION ${CMAKE_INSTALL_DOCDIR})
