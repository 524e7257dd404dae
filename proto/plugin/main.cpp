// SPDX-License-Identifier: Apache-2.0
//
// protoc-gen-cobus: started by protoc for `--cobus_out=DIR`; speaks protoc's plugin protocol on
// stdin and stdout.
#include <google/protobuf/compiler/plugin.h>

#include "proto/plugin/generator.hpp"

int main(int argc, char** argv) {
  const cobus::plugin::Generator generator;
  return google::protobuf::compiler::PluginMain(argc, argv, &generator);
}
