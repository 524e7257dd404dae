// SPDX-License-Identifier: Apache-2.0
#include "node/host/module.hpp"

#include <dlfcn.h>
#include <sys/stat.h>
#include <cobus/service.hpp>

namespace cobus::host {

Result<std::unique_ptr<Service>> load_module(const std::filesystem::path& file) {
  std::error_code error;
  const std::filesystem::path path = std::filesystem::canonical(file, error);
  if (error) return fail(Code::not_found, "module " + file.string() + ": " + error.message());
  struct stat info{};
  if (::stat(path.c_str(), &info) == 0 && (info.st_mode & (S_IWGRP | S_IWOTH)) != 0) {
    return fail(Code::failed_precondition,
                "module " + path.string() + ": others may change it; type: chmod go-w " + path.string());
  }
  void* handle = ::dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (handle == nullptr) {
    return fail(Code::failed_precondition, "module " + path.string() + " cannot be loaded: " + ::dlerror());
  }
  const auto module_version = reinterpret_cast<int (*)()>(::dlsym(handle, "cobus_module_version"));
  const auto make = reinterpret_cast<Service* (*)()>(::dlsym(handle, "cobus_module_service"));
  if (module_version == nullptr || make == nullptr) {
    return fail(Code::failed_precondition,
                "module " + path.string() + " has no service: it lacks COBUS_SERVICE(Class)");
  }
  if (module_version() != COBUS_MODULE_VERSION) {
    return fail(Code::failed_precondition,
                "module " + path.string() + " was built for another release of cobus: build it again");
  }
  return std::unique_ptr<Service>(make());
}

}  // namespace cobus::host
