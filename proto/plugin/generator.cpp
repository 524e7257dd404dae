// SPDX-License-Identifier: Apache-2.0
#include "proto/plugin/generator.hpp"

#include <google/protobuf/compiler/cpp/names.h>
#include <google/protobuf/io/printer.h>
#include <google/protobuf/io/zero_copy_stream.h>

#include <algorithm>
#include <array>
#include <cctype>
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

// What the four shapes of a method differ in.
struct Shape {
  const char* kind;      // the function that describes it to the runtime
  const char* handler;   // what its handler returns, R being the reply and Q the request
  const char* argument;  // what it takes beside the call
  const char* name;      // of that
  const char* refuse;    // how it says that something is wrong
  const char* caller;    // what the stub returns
  const char* open;      // the function that makes it
};
constexpr Shape unary_shape = {
    "unary_method",  "Task<::cobus::Result<R>>", "Q", "request", "co_return", "Task<::cobus::Result<R>>",
    "call_method<R>"};
constexpr Shape stream_shape = {"stream_method", "Stream<R>",     "Q", "request", "co_yield",
                                "ItemStream<R>", "open_stream<R>"};
constexpr Shape incoming_shape = {
    "incoming_method", "Task<::cobus::Result<R>>", "::cobus::Incoming<Q>", "requests",
    "co_return",       "Outgoing<Q, R>",           "open_outgoing<Q, R>"};
constexpr Shape exchange_shape = {"exchange_method", "Stream<R>",      "::cobus::Incoming<Q>", "requests",
                                  "co_yield",        "Exchange<Q, R>", "open_exchange<Q, R>"};

const Shape& shape_of(const pb::MethodDescriptor& method) {
  if (method.client_streaming()) return method.server_streaming() ? exchange_shape : incoming_shape;
  return method.server_streaming() ? stream_shape : unary_shape;
}

// `pattern` with the classes of `method` for Q and R.
std::string with_classes(std::string_view pattern, const pb::MethodDescriptor& method) {
  std::string result;
  for (std::size_t i = 0; i < pattern.size(); ++i) {
    const bool alone = i + 1 == pattern.size() || !std::isalpha(static_cast<unsigned char>(pattern[i + 1]));
    if (pattern[i] == 'Q' && alone) {
      result += pb::compiler::cpp::QualifiedClassName(method.input_type());
    } else if (pattern[i] == 'R' && alone) {
      result += pb::compiler::cpp::QualifiedClassName(method.output_type());
    } else {
      result += pattern[i];
    }
  }
  return result;
}

Variables variables_of(const pb::MethodDescriptor& method) {
  const Shape& shape = shape_of(method);
  const std::string argument = with_classes(shape.argument, method);
  return {{"service", method.service()->name() + "Service"},
          {"stub", method.service()->name() + "Stub"},
          {"method", method.name()},
          {"path", method.service()->full_name() + "/" + method.name()},
          {"request", with_classes("Q", method)},
          {"reply", with_classes("R", method)},
          {"kind", shape.kind},
          {"handler", "::cobus::" + with_classes(shape.handler, method)},
          {"argument", argument},
          {"name", shape.name},
          {"refuse", shape.refuse},
          {"caller", "::cobus::" + with_classes(shape.caller, method)},
          {"open", "::cobus::" + with_classes(shape.open, method)},
          // A stub is given the request, unless it is a stream.
          {"given", method.client_streaming() ? "" : argument + " request, "},
          {"passed", method.client_streaming() ? "" : "std::move(request), "}};
}

// The reason why `method` cannot become a member function; empty when it can.
std::string refusal(const pb::MethodDescriptor& method) {
  const std::string& service = method.service()->name();
  const std::string path = method.service()->full_name() + "/" + method.name();
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
    out.Print(variables_of(*service.method(i)),
              "  virtual $handler$ $method$(::cobus::Call call, $argument$ $name$);\n");
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
              "  [[nodiscard]] $caller$ $method$($given$::cobus::CallOptions options = {}) const;\n");
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
  out.Print(variables_of(method),
            "\n"
            "$handler$ $service$::$method$(::cobus::Call /*call*/, $argument$ /*$name$*/) {\n"
            "  $refuse$ ::cobus::fail(::cobus::Code::unimplemented, \"$path$ is not implemented here\");\n"
            "}\n"
            "\n"
            "$caller$ $stub$::$method$($given$::cobus::CallOptions options) const {\n"
            "  return $open$(self_, node_, \"$path$\", $passed$std::move(options));\n"
            "}\n");
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
