// SPDX-License-Identifier: Apache-2.0
#include "node/host/module.hpp"

#include <dlfcn.h>
#include <fmt/format.h>
#include <google/protobuf/descriptor.h>
#include <google/protobuf/descriptor_database.h>
#include <link.h>
#include <sys/stat.h>

#include <algorithm>
#include <cctype>
#include <cobus/service.hpp>
#include <cstdint>
#include <map>
#include <string_view>
#include <utility>

#include "node/host/trial.hpp"

namespace cobus::host {
namespace {

// What modules of the first module version defined instead of registering their service.
constexpr const char* version_before_registration = "cobus_module_version";

// What was loaded so far. Main thread.
struct Loaded {
  std::filesystem::path path;
  void* handle;
};
std::vector<Loaded>& all_loaded() {
  static std::vector<Loaded> all;
  return all;
}

// The symbol that protoc generates for a .proto: its name with all but letters and digits in hexadecimal.
std::string table_of(std::string_view proto) {
  std::string symbol = "descriptor_table_";
  for (const unsigned char c : proto) {
    symbol += std::isalnum(c) != 0 ? std::string(1, static_cast<char>(c)) : fmt::format("_{:x}", c);
  }
  return symbol;
}

// Whether the module itself has the symbol, not a library that it uses.
bool defines(void* handle, const std::string& symbol) {
  void* const at = ::dlsym(handle, symbol.c_str());
  Dl_info info{};
  link_map* module = nullptr;
  return at != nullptr && ::dladdr(at, &info) != 0 &&
         ::dlinfo(handle, RTLD_DI_LINKMAP, static_cast<void*>(&module)) == 0 &&
         reinterpret_cast<std::uintptr_t>(info.dli_fbase) == module->l_addr;
}

// What has brought that .proto into this process.
std::string owner_of(std::string_view proto) {
  const std::string symbol = table_of(proto);
  for (const Loaded& module : all_loaded()) {
    if (::dlsym(module.handle, symbol.c_str()) != nullptr) return "module " + module.path.string();
  }
  return "cobus-node itself";
}

// The .proto files of this program and its libraries: what was there before the first module.
const std::vector<std::string>& own_protos() {
  static const std::vector<std::string> all = [] {
    std::vector<std::string> names;
    google::protobuf::DescriptorPool::internal_generated_database()->FindAllFileNames(&names);
    return names;
  }();
  return all;
}

Status brought_twice(const std::filesystem::path& path, std::string_view proto) {
  return {Code::failed_precondition,
          fmt::format(
              "module {} cannot be loaded: it brings {}, as {} does, and a process can hold the code of a "
              ".proto once: make it a library that both use (cobus_add_messages), or rename the file",
              path.string(), proto, owner_of(proto))};
}

// Why the module cannot be loaded into this process, from what became of it in a copy.
Status lost(const std::filesystem::path& path, const Trial& trial) {
  constexpr std::string_view twice = "File already exists in database: ";
  if (const std::size_t at = trial.said.find(twice); at != std::string::npos) {
    const std::size_t begin = at + twice.size();
    const std::string proto = trial.said.substr(begin, trial.said.find('\n', begin) - begin);
    return brought_twice(path, proto);
  }
  const std::string words = trial.said.substr(0, trial.said.find('\n'));
  return {Code::failed_precondition,
          fmt::format(
              "module {} cannot be loaded: it would end this process with {}{}{}; its messages must not be "
              "those of another module, and what it does while it is loaded must not fail",
              path.string(), trial.how, words.empty() ? "" : ": ", words)};
}

}  // namespace

Result<std::filesystem::path> find_module(const std::filesystem::path& file) {
  std::error_code error;
  std::filesystem::path path = std::filesystem::canonical(file, error);
  if (error) return fail(Code::not_found, "module " + file.string() + ": " + error.message());
  struct stat info{};
  if (::stat(path.c_str(), &info) != 0) return path;  // whoever opens it hears why
  if (!S_ISREG(info.st_mode)) {
    return fail(Code::failed_precondition, "module " + path.string() + " is no file: name a FILE.so");
  }
  if ((info.st_mode & (S_IWGRP | S_IWOTH)) != 0) {
    return fail(Code::failed_precondition,
                "module " + path.string() + ": others may change it; type: chmod go-w " + path.string());
  }
  return path;
}

Result<Module> load_module(const std::filesystem::path& file) {
  Result<std::filesystem::path> found = find_module(file);
  if (!found) return fail(std::move(found).error());
  const std::filesystem::path& path = *found;
  if (const Trial trial = try_to_load(path); trial.outcome == Trial::Outcome::lost)
    return fail(lost(path, trial));
  const std::vector<std::string>& own = own_protos();
  module_services().clear();  // of a library that this program is linked with
  module_kinds().clear();
  void* handle = ::dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (handle == nullptr) {
    return fail(Code::failed_precondition, "module " + path.string() + " cannot be loaded: " + ::dlerror());
  }
  if (std::ranges::find(all_loaded(), handle, &Loaded::handle) != all_loaded().end())
    return fail(Code::failed_precondition, "module " + path.string() + " is loaded already: name it once");
  // The symbols of this program come first, so such a module would use this program's table in place of its
  // own, and its services would have no description.
  const auto twice =
      std::ranges::find_if(own, [&](const std::string& proto) { return defines(handle, table_of(proto)); });
  if (twice != own.end()) return fail(brought_twice(path, *twice));
  const std::vector<ModuleService> services = std::exchange(module_services(), {});
  std::vector<ModuleKind> kinds = std::exchange(module_kinds(), {});
  const auto other_release = [](const auto& offered) {
    return offered.module_version != COBUS_MODULE_VERSION;
  };
  if (std::ranges::any_of(services, other_release) || std::ranges::any_of(kinds, other_release) ||
      ::dlsym(handle, version_before_registration) != nullptr) {
    return fail(Code::failed_precondition,
                "module " + path.string() + " was built for another release of cobus: build it again");
  }
  if (services.empty() && kinds.empty()) {
    return fail(Code::failed_precondition,
                "module " + path.string() +
                    " brings nothing: it lacks COBUS_SERVICE(Class) or COBUS_WORKER(NAME, function)");
  }
  all_loaded().push_back({path, handle});
  Module module;
  module.file = file.string();
  for (const ModuleService& offered : services) module.services.push_back(offered.make());
  for (ModuleKind& offered : kinds) module.kinds.push_back(std::move(offered.kind));
  return module;
}

Result<std::vector<Module>> load_modules(const std::vector<std::string>& files) {
  std::vector<Module> all;
  std::map<std::string_view, std::string_view> from;  // service to module
  for (const std::string& file : files) {
    Result<Module> module = load_module(file);
    if (!module) return fail(std::move(module).error());
    for (const std::unique_ptr<Service>& service : module->services) {
      const auto [other, added] = from.try_emplace(service->info().name, file);
      if (added) continue;
      return fail(Code::failed_precondition,
                  fmt::format("module {} brings the service {}, as {} does: load one of them", file,
                              other->first, other->second));
    }
    all.push_back(std::move(*module));
  }
  return all;
}

}  // namespace cobus::host
