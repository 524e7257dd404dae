// SPDX-License-Identifier: Apache-2.0
#include "node/observe/await_chains.hpp"

#include <fmt/format.h>

#include "node/runtime/source_path.hpp"

namespace cobus {
namespace {

constexpr int chains_max = 100;
constexpr int awaits_max = 1000;
constexpr std::size_t types_named = 4;

// "a message: echo.EchoRequest or cobus.v1.Exit"
std::string wanted_message(const Worker& worker, const KnownTypes& types) {
  const std::string text = await_kind_name(AwaitKind::message);
  if (worker.wants == nullptr) return text;
  std::vector<std::string> names;
  SignalEnvelope probe;
  for (const auto& [id, name] : types) {
    probe.type = id;
    if (worker.wants(probe)) names.push_back(name);
  }
  if (names.empty()) return text;
  const std::size_t more = names.size() - std::min(names.size(), types_named);
  names.resize(names.size() - more);
  return fmt::format("{}: {}{}", text, fmt::join(names, " or "),
                     more == 0 ? std::string() : fmt::format(" or {} more", more));
}

class Writer {
 public:
  Writer(const Worker& worker, TimePoint now, const KnownTypes& types, v1::ShowReply& into)
      : worker_(worker), now_(now), types_(types), into_(into) {}

  void write_chain(const std::string& label, const detail::AwaitPoint* outermost) {
    if (into_.chains_size() == chains_max || left_ == 0)
      return into_.set_chains_left_out(into_.chains_left_out() + 1);
    v1::AwaitChain& chain = *into_.add_chains();
    chain.set_label(label);
    detail::AwaitGroup* branches = nullptr;
    for (const detail::AwaitPoint* at = outermost; at != nullptr && left_ > 0;) {
      const bool branching = at->kind() == AwaitKind::branches;
      if (branching) branches = at->group;
      const detail::AwaitPoint* const inner = branching ? nullptr : at->inner;
      if (at->where.line() != 0) write_await(*at, inner == nullptr, chain);
      at = inner;
    }
    if (branches == nullptr) return;
    branches->each_running([&](std::size_t number, const detail::AwaitPoint* first) {
      if (first != nullptr) write_chain(fmt::format("branch {}{}", number, of(label)), first);
    });
  }

  // The children of the scopes that began on `strand`.
  void write_scopes(const Strand& strand, const std::string& label) {
    for (detail::AwaitGroup* scope = strand.scopes; scope != nullptr; scope = scope->next()) {
      scope->each_running([&](std::size_t number, const detail::AwaitPoint* first) {
        write_chain(fmt::format("child {} of a scope{}", number, of(label)), first);
      });
      if (const Strand* own = scope->own_strand()) write_scopes(*own, "a child");
    }
  }

 private:
  static std::string of(const std::string& label) { return label.empty() ? "" : " of " + label; }

  void write_await(const detail::AwaitPoint& at, bool innermost, v1::AwaitChain& chain) {
    --left_;
    v1::Await& await = *chain.add_awaits();
    await.set_file(std::string(source_path(at.where.file_name())));
    await.set_line(at.where.line());
    await.set_function(function_name(at.where.function_name()));
    await.set_age_us(static_cast<std::uint64_t>(at.age(now_).count() / 1000));
    if (!innermost) return;
    await.set_waits_for(at.kind() == AwaitKind::message ? wanted_message(worker_, types_)
                                                        : await_kind_name(at.kind()));
  }

  const Worker& worker_;
  const TimePoint now_;
  const KnownTypes& types_;
  v1::ShowReply& into_;
  int left_ = awaits_max;
};

}  // namespace

void write_await_chains(const Worker& worker, TimePoint now, const KnownTypes& types, v1::ShowReply& into) {
  if (!worker.body) return;
  Writer writer(worker, now, types, into);
  writer.write_chain("", &worker.body.promise());
  writer.write_scopes(worker, "");
}

}  // namespace cobus
