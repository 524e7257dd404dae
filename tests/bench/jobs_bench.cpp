// SPDX-License-Identifier: Apache-2.0
//
// What a durable job costs from end to end, on one node: submitted through the service (acknowledged after
// the commit), claimed, given to an echo service as a call, its outcome written down. Submitters wait for
// their acknowledgement, so the queue of jobs that are ready is as long as the dispatcher is slow.
#include <sqlite3.h>

#include <atomic>
#include <filesystem>
#include <thread>

#include <cobus/v1/job.cobus.h>
#include "bench.cobus.h"
#include "node/job/jobs_service.hpp"
#include "node/job/sqlite_ledger.hpp"
#include "tests/bench/bench_node.hpp"

namespace cobus::bench {
namespace {

constexpr std::uint64_t jobs_default = 20'000;
constexpr std::uint64_t submitters = 512;
constexpr std::size_t size = 100;
constexpr const char* method = "cobus.bench.Peer/Echo";

class Answerer final : public PeerService {
 public:
  Task<Result<Parcel>> Echo(Call /*call*/, Parcel request) override { co_return request; }
};

// What a broker would tell this node about itself.
v1::DirectoryEvent directory_of(Node& node) {
  v1::DirectoryEvent event;
  event.set_snapshot(true);
  v1::NodeRecord& record = *event.add_changed();
  record.set_node(static_cast<std::uint64_t>(node.id()));
  record.set_incarnation(node.incarnation());
  record.set_name(node.name());
  record.set_state(v1::UP);
  v1::ServiceRecord& service = *record.add_services();
  service.set_name("cobus.bench.Peer");
  v1::MethodRecord& echo = *service.add_methods();
  echo.set_name(method);
  echo.set_input("cobus.bench.Parcel");
  echo.set_output("cobus.bench.Parcel");
  echo.set_where(v1::SHARD);
  return event;
}

Task<> submit(Self self, std::atomic<std::int64_t>* left) {
  const v1::JobsStub jobs(self, self.node().id());
  Parcel parcel;
  parcel.set_data(std::string(size, 'x'));
  while (left->fetch_sub(1) > 0) {
    v1::SubmitRequest request;
    request.set_method(method);
    request.set_payload(parcel.SerializeAsString());
    const Result<v1::SubmitReply> reply = co_await jobs.Submit(std::move(request));
    if (!reply) give_up("a job was refused: " + reply.error().to_string());
  }
}

std::uint64_t succeeded(job::Ledger& ledger) {
  std::promise<std::uint64_t> answer;
  ledger.counts([&answer](const Result<job::Counts>& counts) {
    answer.set_value(counts ? counts->jobs[v1::SUCCEEDED] : 0);
  });
  return answer.get_future().get();
}

void jobs(std::uint64_t count, const std::filesystem::path& folder) {
  const std::filesystem::path file = folder / "bench-ledger.db";
  const auto remove = [&file] {
    for (const char* ending : {"", "-wal", "-shm", ".lock"}) std::filesystem::remove(file.string() + ending);
  };
  remove();
  auto ledger = job::SqliteLedger::open({.file = file, .home = "bench"});
  if (!ledger) give_up(ledger.error().to_string());
  const unsigned shards = std::max(1U, std::thread::hardware_concurrency());
  double seconds = 0;
  {
    BenchNode bench(shards);
    Node& node = bench.node();
    View view(system_clock());
    view.apply(NodeId{1}, directory_of(node));
    job::Dispatcher dispatcher(node, view, **ledger);
    node.add_service(std::make_unique<Answerer>());
    node.add_service(std::make_unique<job::JobsService>(node, view, **ledger, dispatcher));
    node.start();
    node.spawn("dispatcher", &job::Dispatcher::run, &dispatcher);
    std::atomic<std::int64_t> left = static_cast<std::int64_t>(count);
    const auto begin = Steady::now();
    for (std::uint64_t i = 0; i < submitters; ++i) node.spawn("submit", &submit, &left);
    while (succeeded(**ledger) < count) std::this_thread::sleep_for(std::chrono::milliseconds(5));
    seconds = seconds_since(begin);
    node.stop(Duration(0));
  }
  (*ledger)->close();
  ledger->reset();
  remove();
  print_figure("1/s", static_cast<double>(count) / seconds,
               "submit, dispatch and finish on one node, SQLite WAL, synchronous FULL, group commit, " +
                   std::to_string(submitters) + " submitters, " + std::to_string(size) + " bytes, " +
                   std::to_string(shards) + " shards");
}

int main_of(const Arguments& arguments) {
  if (arguments.name == "versions") {
    print_versions({{"sqlite", sqlite3_libversion()}});
  } else if (arguments.name == "jobs_sqlite") {
    jobs(arguments.count != 0 ? arguments.count : jobs_default, arguments.folder);
  } else {
    give_up("jobs_bench knows: versions jobs_sqlite");
  }
  return 0;
}

}  // namespace
}  // namespace cobus::bench

int main(int argc, char** argv) { return cobus::bench::main_of(cobus::bench::parse_arguments(argc, argv)); }
