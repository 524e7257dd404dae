// SPDX-License-Identifier: Apache-2.0
#include "node/host/module.hpp"

#include <dlfcn.h>
#include <sys/stat.h>

#include <algorithm>
#include <cobus/service.hpp>
#include <utility>

namespace cobus::host {

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
  module_kinds().clear();  // of a library that this program is linked with
  void* handle = ::dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (handle == nullptr) {
    return fail(Code::failed_precondition, "module " + path.string() + " cannot be loaded: " + ::dlerror());
  }
  Module module;
  std::vector<int> versions;
  for (ModuleKind& brought : std::exchange(module_kinds(), {})) {
    versions.push_back(brought.module_version);
    module.kinds.push_back(std::move(brought.kind));
  }
  const auto module_version = reinterpret_cast<int (*)()>(::dlsym(handle, "cobus_module_version"));
  const auto make = reinterpret_cast<Service* (*)()>(::dlsym(handle, "cobus_module_service"));
  if (module_version != nullptr && make != nullptr) versions.push_back(module_version());
  if (versions.empty()) {
    return fail(Code::failed_precondition,
                "module " + path.string() +
                    " brings nothing: it lacks COBUS_SERVICE(Class) or COBUS_WORKER(NAME, function)");
  }
  if (std::any_of(versions.begin(), versions.end(), [](int of) { return of != COBUS_MODULE_VERSION; })) {
    return fail(Code::failed_precondition,
                "module " + path.string() + " was built for another release of cobus: build it again");
  }
  if (make != nullptr) module.service.reset(make());
  return module;
}

}  // namespace cobus::host
