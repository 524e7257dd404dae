# SPDX-License-Identifier: Apache-2.0
# Turning .proto files into code. Used by cobus itself and, installed, by those who write services.

# cobus_protobuf(TARGET MESSAGES|STUBS|SERVICES IMPORT_DIR dir PROTOS a.proto ... [USES library ...]): generates x.pb.{h,cc}
# (MESSAGES), x.cobus.{h,cc} (STUBS) or both (SERVICES) and adds them to TARGET. Includes are relative to IMPORT_DIR; imports
# are looked for there and where the libraries of cobus_add_messages have theirs.
function(cobus_protobuf target mode)
  cmake_parse_arguments(ARG "" "IMPORT_DIR" "PROTOS;USES" ${ARGN})
  get_filename_component(import_dir "${ARG_IMPORT_DIR}" ABSOLUTE)
  set(out ${CMAKE_CURRENT_BINARY_DIR}/generated)
  file(MAKE_DIRECTORY ${out})
  set(arguments -I${import_dir} -I${COBUS_PROTO_DIR})
  set(plugin)
  foreach(library IN LISTS ARG_USES)
    get_target_property(imported ${library} COBUS_IMPORT_DIR)
    if(NOT imported)
      message(FATAL_ERROR "${target}: ${library} is no library of messages; make it with cobus_add_messages")
    endif()
    list(APPEND arguments -I${imported})
  endforeach()
  if(NOT mode STREQUAL "STUBS")
    list(APPEND arguments --cpp_out=${out})
  endif()
  if(NOT mode STREQUAL "MESSAGES")
    list(APPEND arguments --plugin=protoc-gen-cobus=$<TARGET_FILE:cobus::protoc-gen-cobus> --cobus_out=${out})
    set(plugin cobus::protoc-gen-cobus)
  endif()
  foreach(proto IN LISTS ARG_PROTOS)
    get_filename_component(absolute "${proto}" ABSOLUTE)
    file(RELATIVE_PATH relative ${import_dir} ${absolute})
    string(REGEX REPLACE "\\.proto$" "" stem ${relative})
    set(files)
    if(NOT mode STREQUAL "STUBS")
      list(APPEND files ${out}/${stem}.pb.cc ${out}/${stem}.pb.h)
    endif()
    if(NOT mode STREQUAL "MESSAGES")
      list(APPEND files ${out}/${stem}.cobus.cc ${out}/${stem}.cobus.h)
    endif()
    add_custom_command(OUTPUT ${files}
      COMMAND protobuf::protoc ${arguments} ${absolute}
      DEPENDS ${absolute} protobuf::protoc ${plugin} VERBATIM)
    target_sources(${target} PRIVATE ${files})
    set_source_files_properties(${files} PROPERTIES COMPILE_OPTIONS "-w")
  endforeach()
  target_include_directories(${target} SYSTEM PUBLIC $<BUILD_INTERFACE:${out}>)
  target_link_libraries(${target} PUBLIC protobuf::libprotobuf ${ARG_USES})
endfunction()

# cobus_add_messages(NAME protos... [USES library ...]): a shared library libNAME.so of messages and stubs, for everything that
# knows the same .proto: modules, clients, tests. A process may hold the code of a .proto only once, so two modules of one node
# that each brought it could not be loaded together.
function(cobus_add_messages name)
  cmake_parse_arguments(ARG "" "" "USES" ${ARGN})
  add_library(${name} SHARED)
  set_target_properties(${name} PROPERTIES INSTALL_RPATH "\$ORIGIN" COBUS_IMPORT_DIR ${CMAKE_CURRENT_SOURCE_DIR})
  cobus_protobuf(${name} SERVICES IMPORT_DIR ${CMAKE_CURRENT_SOURCE_DIR} PROTOS ${ARG_UNPARSED_ARGUMENTS} USES ${ARG_USES})
  target_link_libraries(${name} PRIVATE cobus::service)
endfunction()

# cobus_add_service(NAME protos... sources... [USES library ...]): a module NAME.so that a node loads with --service. USES names
# libraries of cobus_add_messages; a .proto that another module has too belongs into one of them.
function(cobus_add_service name)
  cmake_parse_arguments(ARG "" "" "USES" ${ARGN})
  set(protos ${ARG_UNPARSED_ARGUMENTS})
  list(FILTER protos INCLUDE REGEX "\\.proto$")
  set(sources ${ARG_UNPARSED_ARGUMENTS})
  list(FILTER sources EXCLUDE REGEX "\\.proto$")
  add_library(${name} MODULE ${sources})
  set_target_properties(${name} PROPERTIES PREFIX "" INSTALL_RPATH "\$ORIGIN")
  cobus_protobuf(${name} SERVICES IMPORT_DIR ${CMAKE_CURRENT_SOURCE_DIR} PROTOS ${protos} USES ${ARG_USES})
  target_link_libraries(${name} PRIVATE cobus::service)
endfunction()
