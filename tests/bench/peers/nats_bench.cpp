// SPDX-License-Identifier: Apache-2.0
//
// NATS, a server in between: one process publishes and another subscribes, by the library for C, in the
// clear. The server is started on a free port of the loopback for this measurement and ended with it.
// Publishing is buffered and flushed by the library; nobody may be so far ahead that the server cuts off who
// reads, so the publisher keeps a window and hears of what was received. Built only where NATS is installed.
#include <nats/nats.h>

#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "tests/bench/link_figures.hpp"
#include "tests/bench/server_process.hpp"

namespace cobus::bench {
namespace {

constexpr const char* data_subject = "data";
constexpr const char* receipt_subject = "receipt";
constexpr std::uint64_t windows = 4;  // as much on its way as by others: a server has buffers, too
constexpr std::int64_t patience_ms = 30'000;

void check(natsStatus status, const char* what) {
  if (status != NATS_OK) give_up(std::string(what) + ": " + natsStatus_GetText(status));
}

// A process of its own, ended by its id. Its file in `folder` says at which port it listens.
class Server {
 public:
  explicit Server(const std::string& folder) : process_(::fork()) {
    if (process_ < 0) give_up("cannot fork");
    if (process_ == 0) {
      ::prctl(PR_SET_PDEATHSIG, SIGKILL);
      const std::string log = folder + "/nats-server.log";
      ::execl(NATS_SERVER, "nats-server", "-a", "127.0.0.1", "-p", "-1", "--ports_file_dir", folder.c_str(),
              "-l", log.c_str(), nullptr);
      std::_Exit(1);
    }
    ports_ = folder + "/nats-server_" + std::to_string(process_) + ".ports";
    for (const auto begin = Steady::now(); url_.empty(); url_ = read_url()) {
      if (seconds_since(begin) > 10) give_up("nats-server does not tell its port");
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
  }
  ~Server() {
    ::kill(process_, SIGTERM);
    ::waitpid(process_, nullptr, 0);
  }
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;
  [[nodiscard]] const std::string& url() const noexcept { return url_; }

 private:
  // {"nats":["nats://127.0.0.1:37023"]}; empty while it is not there.
  [[nodiscard]] std::string read_url() const {
    std::ostringstream text;
    text << std::ifstream(ports_).rdbuf();
    const std::string whole = text.str();
    const std::size_t begin = whole.find("nats://");
    const std::size_t end = whole.find('"', begin);
    return begin == std::string::npos || end == std::string::npos ? "" : whole.substr(begin, end - begin);
  }

  pid_t process_;
  std::string ports_;
  std::string url_;
};

class Connection {
 public:
  // `at_once`: what is published does not wait for more.
  Connection(const std::string& url, bool at_once) {
    natsOptions* options = nullptr;
    check(natsOptions_Create(&options), "natsOptions_Create");
    check(natsOptions_SetURL(options, url.c_str()), "natsOptions_SetURL");
    check(natsOptions_SetSendAsap(options, at_once), "natsOptions_SetSendAsap");
    check(natsConnection_Connect(&connection_, options), "natsConnection_Connect");
    natsOptions_Destroy(options);
  }
  ~Connection() { natsConnection_Destroy(connection_); }
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;
  [[nodiscard]] natsConnection* get() const noexcept { return connection_; }
  void publish(const char* subject, const std::string& data) const {
    check(natsConnection_Publish(connection_, subject, data.data(), static_cast<int>(data.size())),
          "natsConnection_Publish");
  }
  void flush() const { check(natsConnection_FlushTimeout(connection_, patience_ms), "natsConnection_Flush"); }

 private:
  natsConnection* connection_ = nullptr;
};

// Of everything on a subject, however much waits. With a handler, which a thread of the library calls, or
// read with next().
class Subscription {
 public:
  Subscription(const Connection& connection, const char* subject, natsMsgHandler handler = nullptr,
               void* closure = nullptr) {
    check(handler != nullptr
              ? natsConnection_Subscribe(&subscription_, connection.get(), subject, handler, closure)
              : natsConnection_SubscribeSync(&subscription_, connection.get(), subject),
          "natsConnection_Subscribe");
    check(natsSubscription_SetPendingLimits(subscription_, -1, -1), "natsSubscription_SetPendingLimits");
    connection.flush();
  }
  ~Subscription() { natsSubscription_Destroy(subscription_); }
  Subscription(const Subscription&) = delete;
  Subscription& operator=(const Subscription&) = delete;
  void next() {
    natsMsg* message = nullptr;
    check(natsSubscription_NextMsg(&message, subscription_, patience_ms), "natsSubscription_NextMsg");
    natsMsg_Destroy(message);
  }

 private:
  natsSubscription* subscription_ = nullptr;
};

struct Sink {
  Flow flow;
  std::uint64_t count = 0;
};

void take(natsConnection* connection, natsSubscription* /*subscription*/, natsMsg* message, void* closure) {
  Sink& sink = *static_cast<Sink*>(closure);
  if (static_cast<std::size_t>(natsMsg_GetDataLength(message)) != sink.flow.size)
    give_up("a message of another size");
  natsMsg_Destroy(message);
  if (++sink.count % sink.flow.receipt_every == 0)
    check(natsConnection_PublishString(connection, receipt_subject, ""), "natsConnection_PublishString");
}

// From the first publish until the subscriber has told of the last.
void one_way(const Server& server, const OneWay& what, std::uint64_t count) {
  Flow flow = what.flow();
  flow.window *= windows;
  ServerProcess subscriber([&](Wire& wire) {
    const Connection connection(server.url(), false);
    Sink sink{.flow = flow};
    const Subscription data(connection, data_subject, &take, &sink);
    wire.say("subscribed");
    static_cast<void>(wire.hear());
  });
  if (subscriber.wire().hear() != "subscribed") give_up("no subscriber");
  const Connection connection(server.url(), false);
  Subscription receipts(connection, receipt_subject);
  const std::string message(flow.size, 'x');
  const auto begin = Steady::now();
  for (std::uint64_t sent = 0, received = 0; received < count; received += flow.receipt_every) {
    for (; sent < count && sent - received < flow.window; ++sent) connection.publish(data_subject, message);
    receipts.next();
  }
  print_one_way(what, count, seconds_since(begin),
                "publisher to subscriber in another process through a server, in the clear, window of " +
                    std::to_string(flow.window) + ", loopback TCP");
}

void answer(natsConnection* connection, natsSubscription* /*subscription*/, natsMsg* message,
            void* /*closure*/) {
  check(natsConnection_Publish(connection, natsMsg_GetReply(message), natsMsg_GetData(message),
                               natsMsg_GetDataLength(message)),
        "natsConnection_Publish");
  natsMsg_Destroy(message);
}

// The median time of a request, one at a time.
void round_trip(const Server& server, std::uint64_t count) {
  ServerProcess answerer([&](Wire& wire) {
    const Connection connection(server.url(), true);
    const Subscription requests(connection, data_subject, &answer);
    wire.say("subscribed");
    static_cast<void>(wire.hear());
  });
  if (answerer.wire().hear() != "subscribed") give_up("nobody answers");
  const Connection connection(server.url(), true);
  const std::string request(call_size, 'x');
  std::vector<double> times_us;
  times_us.reserve(count);
  for (std::uint64_t i = 0; i < count + warm_up_calls; ++i) {
    natsMsg* reply = nullptr;
    const auto begin = Steady::now();
    check(natsConnection_Request(&reply, connection.get(), data_subject, request.data(),
                                 static_cast<int>(request.size()), patience_ms),
          "natsConnection_Request");
    if (i >= warm_up_calls) times_us.push_back(seconds_since(begin) * 1e6);
    natsMsg_Destroy(reply);
  }
  print_figure("us", median(std::move(times_us)),
               "request to another process through a server, in the clear, one at a time, loopback TCP");
}

// "nats-server: v2.9.10"
std::string server_version() {
  std::string line;
  if (FILE* const said = ::popen(NATS_SERVER " --version", "r"); said != nullptr) {
    for (int c = std::fgetc(said); c != EOF && c != '\n'; c = std::fgetc(said)) line += static_cast<char>(c);
    ::pclose(said);
  }
  const std::size_t number = line.find_first_of("0123456789");
  return number == std::string::npos ? "unknown" : line.substr(number);
}

int main_of(const Arguments& arguments) {
  if (arguments.name == "versions") {
    print_versions({{"nats-server", server_version()}, {"libnats", nats_GetVersion()}});
    return 0;
  }
  const OneWay* const what = find_one_way(arguments.name);
  if (what == nullptr && arguments.name != "round_trip_p50")
    give_up("nats_bench knows: versions link_100 link_1k link_64k link_1m round_trip_p50");
  const Server server(arguments.folder);
  if (what != nullptr) {
    one_way(server, *what, what->total(arguments.count));
  } else {
    round_trip(server, arguments.count != 0 ? arguments.count : round_trips_default);
  }
  return 0;
}

}  // namespace
}  // namespace cobus::bench

int main(int argc, char** argv) { return cobus::bench::main_of(cobus::bench::parse_arguments(argc, argv)); }
