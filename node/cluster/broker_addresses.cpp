// SPDX-License-Identifier: Apache-2.0
#include "node/cluster/broker_addresses.hpp"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <condition_variable>
#include <map>
#include <mutex>
#include <system_error>
#include <thread>
#include <utility>

#include "node/link/join_string.hpp"

namespace cobus {
namespace {

// Between the end of one lookup of a name and the next.
constexpr std::chrono::seconds look_up_again(1);

}  // namespace

struct BrokerAddresses::Shared {
  struct Name {
    std::string host_and_port;
    std::vector<std::string> endpoints = {};  // sorted; as the link has them
    bool is_looked_up = false;                // by a thread
    std::chrono::steady_clock::time_point not_before{};
  };

  Shared(link::Links& with, Hooks told, Resolve how)
      : links(&with), hooks(std::move(told)), resolve(std::move(how)) {}

  // Held while the hooks are called, so that nothing is told once this is closed.
  std::mutex mutex;
  std::condition_variable closed;
  link::Links* links;  // null: closed. Guarded by mutex, as is `names`
  std::map<link::TargetId, Name> names;
  const Hooks hooks;
  const Resolve resolve;
};

BrokerAddresses::BrokerAddresses(Node& node, link::CurveKey key, Hooks hooks, Resolve resolve)
    : node_(node),
      key_(key),
      shared_(std::make_shared<Shared>(node.links(), std::move(hooks), std::move(resolve))) {
  node.add_peer_listener(this);
}

BrokerAddresses::~BrokerAddresses() {
  const std::scoped_lock lock(shared_->mutex);
  shared_->links = nullptr;
  shared_->closed.notify_all();
}

Result<link::TargetId> BrokerAddresses::add(const std::string& host_and_port) {
  Result<std::vector<std::string>> numeric = link::numeric_endpoints(host_and_port);
  if (!numeric && numeric.error().code() == Code::invalid_argument) return fail(numeric.error());
  if (numeric) {
    if (shared_->hooks.resolved) shared_->hooks.resolved(*numeric);
    return node_.links().add_target(std::move(*numeric), key_);
  }
  const link::TargetId target = node_.links().add_target({}, key_);
  {
    const std::scoped_lock lock(shared_->mutex);
    shared_->names[target] = {.host_and_port = host_and_port, .is_looked_up = true};
  }
  start_look_up(target);
  return target;
}

// Under the link's lock.
void BrokerAddresses::on_target_failed(link::TargetId target, const Status& /*reason*/) {
  {
    const std::scoped_lock lock(shared_->mutex);
    const auto found = shared_->names.find(target);
    if (found == shared_->names.end() || found->second.is_looked_up ||
        std::chrono::steady_clock::now() < found->second.not_before)
      return;
    found->second.is_looked_up = true;
  }
  start_look_up(target);
}

void BrokerAddresses::start_look_up(link::TargetId target) {
  try {
    std::thread(&BrokerAddresses::look_up, shared_, target).detach();
  } catch (const std::system_error& error) {
    spdlog::error("no thread to look up the name of a broker: {}", error.what());
    const std::scoped_lock lock(shared_->mutex);
    shared_->names.at(target).is_looked_up = false;
  }
}

void BrokerAddresses::look_up(const std::shared_ptr<Shared>& shared, link::TargetId target) {
  std::unique_lock lock(shared->mutex);
  const std::string host_and_port = shared->names.at(target).host_and_port;
  while (shared->links != nullptr) {
    lock.unlock();
    Result<std::vector<std::string>> found = shared->resolve(host_and_port);
    lock.lock();
    if (shared->links == nullptr) return;
    Shared::Name& name = shared->names.at(target);
    if (found) {
      std::vector<std::string> sorted = *found;
      std::ranges::sort(sorted);
      // The order in which a server names them says nothing.
      if (sorted != name.endpoints) {
        if (shared->hooks.resolved) shared->hooks.resolved(*found);
        shared->links->retarget(target, std::move(*found));
        name.endpoints = std::move(sorted);
      }
    } else if (shared->hooks.unresolved) {
      shared->hooks.unresolved(target, found.error());
    }
    // One that was dialled before is looked up again when that fails again.
    if (!name.endpoints.empty()) {
      name.not_before = std::chrono::steady_clock::now() + look_up_again;
      name.is_looked_up = false;
      return;
    }
    shared->closed.wait_for(lock, look_up_again, [&] { return shared->links == nullptr; });
  }
}

}  // namespace cobus
