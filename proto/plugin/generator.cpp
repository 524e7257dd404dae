// SPDX-License-Identifier: Apache-2.0
#include "proto/plugin/generator.hpp"

#include <google/protobuf/compiler/cpp/names.h>
#include <google/protobuf/io/printer.h>
#include <google/protobuf/io/zero_copy_stream.h>

#include <algorithm>
#include <array>
#include <map>
#include <memory>
#include <string>
#include <string_view>

namespace cobus::plugin {
namespace {

namespace pb = google::protobuf;
using Variables = std::map<std::string, std::string>;

constexpr auto keywords = std::to_array<std::string_view>(
    {"alignas",     "alignof",  "and",       "and_eq",    "asm",       "auto",         "bitand",
     "bitor",       "bool",     "break",     "case",      "catch",     "char",         "char8_t",
     "char16_t",    "char32_t", "class",     "co_await",  "co_return", "co_yield",     "compl",
     "concept",     "const",    "consteval", "constexpr", "constinit", "const_cast",   "continue",
     "decltype",    "default",  "delete",    "do",        "double",    "dynamic_cast", "else",
     "enum",        "explicit", "export",    "extern",    "false",     "float",        "for",
     "friend",      "goto",     "if",        "inline",    "int",       "long",         "mutable",
     "namespace",   "new",      "noexcept",  "not",       "not_eq",    "nullptr",      "operator",
     "or",          "or_eq",    "private",   "protected", "public",    "register",     "reinterpret_cast",
     "requires",    "return",   "short",     "signed",    "sizeof",    "static",       "static_assert",
     "static_cast", "struct",   "switch",    "template",  "this",      "thread_local", "throw",
     "true",        "try",      "typedef",   "typeid",    "typename",  "union",        "unsigned",
     "using",       "virtual",  "void",      "volatile",  "wchar_t",   "while",        "xor",
     "xor_eq"});

bool is_keyword(std::string_view word) { return std::ranges::find(keywords, word) != keywords.end(); }

// "a.b" -> "a::b"; empty for no package.
std::string cpp_namespace(const std::string& package) {
  std::string result;
  for (const char c : package) c == '.' ? result.append("::") : result.append(1, c);
  return result;
}

Variables variables_of(const pb::MethodDescriptor& method) {
  namespace cpp = pb::compiler::cpp;
  return {{"service", method.service()->name() + "Service"},
          {"stub", method.service()->name() + "Stub"},
          {"method", method.name()},
          {"path", method.service()->full_name() + "/" + method.name()},
          {"request", cpp::QualifiedClassName(method.input_type())},
          {"reply", cpp::QualifiedClassName(method.output_type())}};
}

// The reason why `method` cannot become a member function; empty when it can.
std::string refusal(const pb::MethodDescriptor& method) {
  const std::string& service = method.service()->name();
  const std::string path = method.service()->full_name() + "/" + method.name();
  if (method.client_streaming()) {
    return path +
           ": a stream of requests is not supported; take one request, and let the reply be a stream "
           "if need be";
  }
  if (method.name() == "info" || method.name() == "service_name" || method.name() == "self_" ||
      method.name() == "node_" || method.name() == service + "Service" || method.name() == service + "Stub" ||
      is_keyword(method.name())) {
    return path + ": the name is taken in the generated class; choose another, such as " + method.name() +
           "It";
  }
  return {};
}

std::string refusal(const pb::ServiceDescriptor& service) {
  const std::string& package = service.file()->package();
  for (const char* suffix : {"Service", "Stub"}) {
    const std::string name = (package.empty() ? "" : package + ".") + service.name() + suffix;
    if (service.file()->pool()->FindMessageTypeByName(name) != nullptr) {
      return service.full_name() + ": its generated class would be named like the message " + name +
             "; rename one of them";
    }
  }
  for (int i = 0; i < service.method_count(); ++i) {
    if (std::string reason = refusal(*service.method(i)); !reason.empty()) return reason;
  }
  return {};
}

void print_declarations(pb::io::Printer& out, const pb::ServiceDescriptor& service) {
  const Variables names = {{"name", service.name()}, {"full", service.full_name()}};
  out.Print(names,
            "\n"
            "// Derive from it and override what the service offers; the rest answers UNIMPLEMENTED.\n"
            "class $name$Service : public ::cobus::Service {\n"
            " public:\n"
            "  static constexpr std::string_view service_name = \"$full$\";\n");
  for (int i = 0; i < service.method_count(); ++i) {
    out.Print(
        variables_of(*service.method(i)),
        service.method(i)->server_streaming()
            ? "  virtual ::cobus::Stream<$reply$> $method$(::cobus::Call call, $request$ request);\n"
            : "  virtual ::cobus::Task<::cobus::Result<$reply$>> $method$(::cobus::Call call, $request$ "
              "request);\n");
  }
  out.Print(names,
            "  [[nodiscard]] const ::cobus::ServiceInfo& info() const override;\n"
            "};\n"
            "\n"
            "// Calls $full$ on `node`, or on any node that offers it.\n"
            "class $name$Stub {\n"
            " public:\n"
            "  explicit $name$Stub(::cobus::Self self, ::cobus::NodeId node = ::cobus::NodeId::none)\n"
            "      : self_(std::move(self)), node_(node) {}\n");
  for (int i = 0; i < service.method_count(); ++i) {
    out.Print(variables_of(*service.method(i)),
              service.method(i)->server_streaming()
                  ? "  [[nodiscard]] ::cobus::ItemStream<$reply$> $method$($request$ request, "
                    "::cobus::CallOptions options = {}) const;\n"
                  : "  [[nodiscard]] ::cobus::Task<::cobus::Result<$reply$>> $method$($request$ request, "
                    "::cobus::CallOptions options = {}) const;\n");
  }
  out.Print(
      "\n"
      " private:\n"
      "  ::cobus::Self self_;\n"
      "  ::cobus::NodeId node_;\n"
      "};\n");
}

void print_info(pb::io::Printer& out, const pb::ServiceDescriptor& service) {
  out.Print(
      "\n"
      "const ::cobus::ServiceInfo& $name$Service::info() const {\n"
      "  static const ::cobus::ServiceInfo info = ::cobus::make_service_info(\"$full$\", {",
      "name", service.name(), "full", service.full_name());
  for (int i = 0; i < service.method_count(); ++i) {
    Variables names = variables_of(*service.method(i));
    names["comma"] = i == 0 ? "" : ",";
    names["kind"] = service.method(i)->server_streaming() ? "stream_method" : "unary_method";
    out.Print(
        names,
        "$comma$\n      ::cobus::$kind$<$service$, $request$, $reply$, &$service$::$method$>(\"$method$\")");
  }
  out.Print(
      "});\n"
      "  return info;\n"
      "}\n");
}

void print_method(pb::io::Printer& out, const pb::MethodDescriptor& method) {
  const Variables names = variables_of(method);
  if (method.server_streaming()) {
    out.Print(
        names,
        "\n"
        "::cobus::Stream<$reply$> $service$::$method$(::cobus::Call /*call*/, $request$ /*request*/) {\n"
        "  co_yield ::cobus::fail(::cobus::Code::unimplemented, \"$path$ is not implemented here\");\n"
        "}\n"
        "\n"
        "::cobus::ItemStream<$reply$> $stub$::$method$($request$ request, ::cobus::CallOptions options) "
        "const {\n"
        "  return ::cobus::open_stream<$reply$>(self_, node_, \"$path$\", std::move(request), "
        "std::move(options));\n"
        "}\n");
  } else {
    out.Print(names,
              "\n"
              "::cobus::Task<::cobus::Result<$reply$>> $service$::$method$(::cobus::Call /*call*/, $request$ "
              "/*request*/) {\n"
              "  co_return ::cobus::fail(::cobus::Code::unimplemented, \"$path$ is not implemented here\");\n"
              "}\n"
              "\n"
              "::cobus::Task<::cobus::Result<$reply$>> $stub$::$method$($request$ request, "
              "::cobus::CallOptions options) const {\n"
              "  return ::cobus::call_method<$reply$>(self_, node_, \"$path$\", std::move(request), "
              "std::move(options));\n"
              "}\n");
  }
}

void print_header(pb::io::Printer& out, const pb::FileDescriptor& file, const Variables& names) {
  out.Print(names, "// Generated by protoc-gen-cobus from $proto$. Do not edit.\n#pragma once\n\n");
  if (file.service_count() != 0) {
    out.Print("#include <cobus/service.hpp>\n#include <string_view>\n#include <utility>\n\n");
  }
  out.Print(names, "#include \"$stem$.pb.h\"\n");
  if (file.service_count() == 0) return;
  if (!names.at("namespace").empty()) out.Print(names, "\nnamespace $namespace$ {\n");
  for (int i = 0; i < file.service_count(); ++i) print_declarations(out, *file.service(i));
  if (!names.at("namespace").empty()) out.Print(names, "\n}  // namespace $namespace$\n");
}

void print_source(pb::io::Printer& out, const pb::FileDescriptor& file, const Variables& names) {
  out.Print(names,
            "// Generated by protoc-gen-cobus from $proto$. Do not edit.\n"
            "#include \"$stem$.cobus.h\"\n");
  if (file.service_count() == 0) return;
  if (!names.at("namespace").empty()) out.Print(names, "\nnamespace $namespace$ {\n");
  for (int i = 0; i < file.service_count(); ++i) {
    const pb::ServiceDescriptor& service = *file.service(i);
    print_info(out, service);
    for (int m = 0; m < service.method_count(); ++m) print_method(out, *service.method(m));
  }
  if (!names.at("namespace").empty()) out.Print(names, "\n}  // namespace $namespace$\n");
}

}  // namespace

bool Generator::Generate(const pb::FileDescriptor* file, const std::string& parameter,
                         pb::compiler::GeneratorContext* context, std::string* error) const {
  if (!parameter.empty()) {
    *error = "protoc-gen-cobus takes no parameter, but got '" + parameter + "'; write --cobus_out=DIR";
    return false;
  }
  for (int i = 0; i < file->service_count(); ++i) {
    *error = refusal(*file->service(i));
    if (!error->empty()) return false;
  }
  const std::string stem = pb::compiler::cpp::StripProto(file->name());
  const Variables names = {
      {"proto", file->name()}, {"stem", stem}, {"namespace", cpp_namespace(file->package())}};
  for (const bool header : {true, false}) {
    const std::unique_ptr<pb::io::ZeroCopyOutputStream> stream(
        context->Open(stem + (header ? ".cobus.h" : ".cobus.cc")));
    pb::io::Printer out(stream.get(), '$');
    header ? print_header(out, *file, names) : print_source(out, *file, names);
  }
  return true;
}

}  // namespace cobus::plugin
