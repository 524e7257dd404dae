# SPDX-License-Identifier: Apache-2.0
# Turning .proto files into code. Used by cobus itself and, installed, by those who write services.

# cobus_protobuf(TARGET SERVICES|MESSAGES IMPORT_DIR dir PROTOS a.proto ...): generates x.pb.{h,cc}, and with SERVICES
# also x.cobus.{h,cc}, and adds them to TARGET. Includes are relative to IMPORT_DIR.
function(cobus_protobuf target mode)
  cmake_parse_arguments(ARG "" "IMPORT_DIR" "PROTOS" ${ARGN})
  get_filename_component(import_dir "${ARG_IMPORT_DIR}" ABSOLUTE)
  set(out ${CMAKE_CURRENT_BINARY_DIR}/generated)
  file(MAKE_DIRECTORY ${out})
  set(plugin_arguments)
  set(plugin_dependency)
  if(mode STREQUAL "SERVICES")
    set(plugin_arguments --plugin=protoc-gen-cobus=$<TARGET_FILE:cobus::protoc-gen-cobus> --cobus_out=${out})
    set(plugin_dependency cobus::protoc-gen-cobus)
  endif()
  foreach(proto IN LISTS ARG_PROTOS)
    get_filename_component(absolute "${proto}" ABSOLUTE)
    file(RELATIVE_PATH relative ${import_dir} ${absolute})
    string(REGEX REPLACE "\\.proto$" "" stem ${relative})
    set(files ${out}/${stem}.pb.cc ${out}/${stem}.pb.h)
    if(mode STREQUAL "SERVICES")
      list(APPEND files ${out}/${stem}.cobus.cc ${out}/${stem}.cobus.h)
    endif()
    add_custom_command(OUTPUT ${files}
      COMMAND protobuf::protoc --cpp_out=${out} ${plugin_arguments} -I${import_dir} -I${COBUS_PROTO_DIR} ${absolute}
      DEPENDS ${absolute} protobuf::protoc ${plugin_dependency} VERBATIM)
    target_sources(${target} PRIVATE ${files})
    set_source_files_properties(${files} PROPERTIES COMPILE_OPTIONS "-w")
  endforeach()
  target_include_directories(${target} SYSTEM PUBLIC $<BUILD_INTERFACE:${out}>)
  target_link_libraries(${target} PUBLIC protobuf::libprotobuf)
endfunction()

# cobus_add_service(NAME protos... sources...): a module NAME.so that a node loads with --service.
function(cobus_add_service name)
  set(protos ${ARGN})
  list(FILTER protos INCLUDE REGEX "\\.proto$")
  set(sources ${ARGN})
  list(FILTER sources EXCLUDE REGEX "\\.proto$")
  add_library(${name} MODULE ${sources})
  cobus_protobuf(${name} SERVICES IMPORT_DIR ${CMAKE_CURRENT_SOURCE_DIR} PROTOS ${protos})
  target_link_libraries(${name} PRIVATE cobus::service)
endfunction()
