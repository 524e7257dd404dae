// SPDX-License-Identifier: Apache-2.0
#include "node/link/links.hpp"

#include <algorithm>
#include <utility>

#include "node/link/link_machine.hpp"

namespace cobus::link {
namespace {

template <class... Handlers>
struct Overloaded : Handlers... {
  using Handlers::operator()...;
};

}  // namespace

Links::Links(Transport& transport, const Clock& clock, Random& random, LinkEvents& events, Identity identity,
             LinkOptions options)
    : transport_(transport),
      clock_(clock),
      key_(identity.pair.key),
      cluster_(identity.cluster),
      published_(identity.certificate),
      machine_(std::make_unique<LinkMachine>(transport, clock, random, events, published_,
                                             std::move(identity), std::move(options))) {}

Links::~Links() = default;

void Links::push(Command command) {
  const std::scoped_lock lock(front_mutex_);
  commands_.push_back(std::move(command));
}

TargetId Links::add_target(std::vector<std::string> endpoints, CurveKey key) {
  TargetId target;
  {
    const std::scoped_lock lock(front_mutex_);
    target = TargetId{++last_target_};
    commands_.push_back(AddTarget{target, std::move(endpoints), key});
  }
  wake();
  return target;
}

void Links::retarget(TargetId target, std::vector<std::string> endpoints) {
  push(Retarget{target, std::move(endpoints)});
  wake();
}

void Links::learn(NodeId node, std::vector<std::string> endpoints, CurveKey key) {
  push(Learn{node, std::move(endpoints), key});
}

void Links::forget(NodeId node) { push(Forget{node}); }

void Links::revoke(CurveKey key, std::int64_t until_s) {
  push(Revoke{key, until_s});
  wake();
}

void Links::use_certificate(v1::Certificate certificate) {
  push(UseCertificate{std::move(certificate)});
  wake();
}

void Links::enrolled(ConnectionId connection, Result<v1::Certificate> certificate) {
  push(Enrolled{connection, std::move(certificate)});
  wake();
}

std::string Links::submit(NodeId node, std::string envelopes, std::uint64_t downs_known) {
  const std::scoped_lock lock(front_mutex_);
  std::shared_ptr<Backlog> backlog;
  if (const auto found = backlogs_.find(node); found != backlogs_.end()) {
    backlog = found->second;
    backlog->submitted(envelopes.size());
  }
  commands_.push_back(Submit{node, std::move(envelopes), downs_known, std::move(backlog)});
  return spares_.take();
}

std::shared_ptr<Backlog> Links::backlog(NodeId node) {
  const std::scoped_lock lock(front_mutex_);
  std::shared_ptr<Backlog>& backlog = backlogs_[node];
  if (backlog != nullptr) return backlog;
  std::shared_ptr<Backlog> made = backlog = std::make_shared<Backlog>();
  if (backlogs_.size() >= backlogs_swept_at_) {
    std::erase_if(backlogs_, [](const auto& each) { return each.second.use_count() == 1; });
    backlogs_swept_at_ = 2 * backlogs_.size() + 64;
  }
  return made;
}

void Links::take_commands() {
  {
    const std::scoped_lock lock(front_mutex_);
    taken_.swap(commands_);
    machine_->spares().move_to(spares_);
  }
  for (Command& command : taken_) {
    std::visit(
        Overloaded{[this](Submit& c) { submit_now(c); },
                   [this](Learn& c) { machine_->learn(c.node, std::move(c.endpoints), c.key); },
                   [this](Retarget& c) { machine_->retarget(c.target, std::move(c.endpoints)); },
                   [this](const Forget& c) { machine_->forget(c.node); },
                   [this](const Revoke& c) { machine_->revoke(c.key, c.until_s); },
                   [this](UseCertificate& c) { machine_->use_certificate(std::move(c.certificate)); },
                   [this](const Enrolled& c) { machine_->enrolled(c.connection, c.certificate); },
                   [this](AddTarget& c) { machine_->add_target(c.target, std::move(c.endpoints), c.key); }},
        command);
  }
  taken_.clear();
}

void Links::submit_now(Submit& submission) {
  const std::size_t bytes = submission.envelopes.size();
  machine_->submit(submission.node, std::move(submission.envelopes), submission.backlog,
                   submission.downs_known);
  if (submission.backlog != nullptr) submission.backlog->taken_in(bytes);
}

void Links::publish() {
  const TimePoint due = machine_->next_due();
  const std::scoped_lock lock(front_mutex_);
  counters_ = machine_->counters();
  waiting_bytes_ = machine_->waiting_bytes();
  due_ = due;
}

bool Links::poll(Duration longest, bool only_if_free) {
  std::unique_lock lock(mutex_, std::defer_lock);
  if (!only_if_free) {
    lock.lock();
  } else if (!lock.try_lock()) {
    return false;
  }
  take_commands();
  const bool told = machine_->turn();
  machine_->wait(told ? Duration(0) : longest);
  take_commands();
  machine_->turn();
  publish();
  return true;
}

void Links::shut(TimePoint deadline) {
  const std::scoped_lock lock(mutex_);
  take_commands();
  machine_->shut(deadline);
  publish();
}

TimePoint Links::next_due() const {
  const std::scoped_lock lock(front_mutex_);
  return commands_.empty() ? due_ : std::min(due_, clock_.now());
}

Links::Counters Links::counters() const {
  const std::scoped_lock lock(front_mutex_);
  return counters_;
}

std::size_t Links::waiting_bytes() const {
  const std::scoped_lock lock(front_mutex_);
  std::size_t bytes = waiting_bytes_;
  for (const Command& command : commands_) {
    if (const auto* submitted = std::get_if<Submit>(&command)) bytes += submitted->envelopes.size();
  }
  return bytes;
}

}  // namespace cobus::link
