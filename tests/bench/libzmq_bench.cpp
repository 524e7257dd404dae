// SPDX-License-Identifier: Apache-2.0
//
// libzmq by itself, as someone would use it who needs nothing more: two processes on the loopback, whole
// messages, no acknowledgement, no addresses, in the clear unless the name says otherwise.
#include <zmq.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <deque>
#include <optional>
#include <string>
#include <vector>

#include "tests/bench/link_figures.hpp"
#include "tests/bench/open_loop.hpp"
#include "tests/bench/server_process.hpp"

namespace cobus::bench {
namespace {

constexpr int queued_max = 100'000;  // ZMQ_SNDHWM and ZMQ_RCVHWM; the default of 1,000 is slower
constexpr std::size_t queued_bytes_max = 64 * mib;  // what they come to, for large messages
constexpr std::uint64_t burst = 100;  // messages to one of many sockets before the next has its turn

void check(int result, const char* what) {
  if (result < 0) give_up(std::string(what) + ": " + zmq_strerror(zmq_errno()));
}

// The CURVE key pair of one side, in Z85.
struct Keys {
  std::array<char, 41> open{};
  std::array<char, 41> secret{};
  Keys() { check(zmq_curve_keypair(open.data(), secret.data()), "zmq_curve_keypair"); }
};

// With one thread for the network, libzmq's default.
class Context {
 public:
  Context() : context_(zmq_ctx_new()) {}
  ~Context() { zmq_ctx_term(context_); }
  Context(const Context&) = delete;
  Context& operator=(const Context&) = delete;
  [[nodiscard]] void* get() const noexcept { return context_; }

 private:
  void* context_;
};

class Socket {
 public:
  Socket(const Context& context, int type, std::size_t message_size)
      : socket_(zmq_socket(context.get(), type)), size_(message_size), buffer_(message_size) {
    const int queued = static_cast<int>(std::clamp<std::size_t>(queued_bytes_max / size_, 2, queued_max));
    check(zmq_setsockopt(socket_, ZMQ_SNDHWM, &queued, sizeof queued), "ZMQ_SNDHWM");
    check(zmq_setsockopt(socket_, ZMQ_RCVHWM, &queued, sizeof queued), "ZMQ_RCVHWM");
    zmq_msg_init(&received_);
  }
  ~Socket() {
    const int none = 0;
    zmq_msg_close(&received_);
    zmq_setsockopt(socket_, ZMQ_LINGER, &none, sizeof none);
    zmq_close(socket_);
  }
  Socket(const Socket&) = delete;
  Socket& operator=(const Socket&) = delete;
  [[nodiscard]] void* get() const noexcept { return socket_; }

  void secure_server(const Keys& own) {
    const int yes = 1;
    check(zmq_setsockopt(socket_, ZMQ_CURVE_SERVER, &yes, sizeof yes), "ZMQ_CURVE_SERVER");
    set(ZMQ_CURVE_SECRETKEY, own.secret);
  }
  void secure_client(const Keys& own, const Keys& server) {
    set(ZMQ_CURVE_PUBLICKEY, own.open);
    set(ZMQ_CURVE_SECRETKEY, own.secret);
    set(ZMQ_CURVE_SERVERKEY, server.open);
  }
  [[nodiscard]] std::string bind() {
    check(zmq_bind(socket_, "tcp://127.0.0.1:*"), "zmq_bind");
    std::array<char, 256> endpoint{};
    std::size_t length = endpoint.size();
    check(zmq_getsockopt(socket_, ZMQ_LAST_ENDPOINT, endpoint.data(), &length), "ZMQ_LAST_ENDPOINT");
    return endpoint.data();
  }
  void connect(const std::string& endpoint) { check(zmq_connect(socket_, endpoint.c_str()), "zmq_connect"); }
  // Its own bytes; the first eight, the number, are given.
  void send(std::uint64_t number = 0) {
    std::memcpy(buffer_.data(), &number, sizeof number);
    check(zmq_send(socket_, buffer_.data(), buffer_.size(), 0), "zmq_send");
  }
  // The number of the next message; without one when nothing has come.
  std::optional<std::uint64_t> try_receive(int flags = ZMQ_DONTWAIT) {
    const int bytes = zmq_msg_recv(&received_, socket_, flags);
    if (bytes < 0 && zmq_errno() == EAGAIN) return std::nullopt;
    check(bytes, "zmq_msg_recv");
    if (static_cast<std::size_t>(bytes) != size_) give_up("a message of another size");
    std::uint64_t number = 0;
    std::memcpy(&number, zmq_msg_data(&received_), sizeof number);
    return number;
  }
  std::uint64_t receive() { return *try_receive(0); }

 private:
  void set(int option, const std::array<char, 41>& key) {
    check(zmq_setsockopt(socket_, option, key.data(), key.size()), "CURVE key");
  }

  void* socket_;
  std::size_t size_;
  std::vector<char> buffer_;
  zmq_msg_t received_{};
};

// From the first send to the last receive.
void one_way(const OneWay& what, std::uint64_t count, bool curve) {
  const Keys server_keys;
  const Keys client_keys;
  ServerProcess server([&](Wire& wire) {
    const Context context;
    Socket sink(context, ZMQ_PULL, what.size);
    if (curve) sink.secure_server(server_keys);
    wire.say(sink.bind());
    sink.receive();
    wire.say("connected");
    for (std::uint64_t i = 0; i < count; ++i) sink.receive();
    wire.say("all here");
    static_cast<void>(wire.hear());
  });
  const Context context;
  Socket source(context, ZMQ_PUSH, what.size);
  if (curve) source.secure_client(client_keys, server_keys);
  source.connect(server.wire().hear());
  source.send();
  if (server.wire().hear() != "connected") give_up("no connection");
  const auto begin = Steady::now();
  for (std::uint64_t i = 0; i < count; ++i) source.send();
  if (server.wire().hear() != "all here") give_up("messages were lost");
  print_one_way(what, count, seconds_since(begin),
                std::string("PUSH to PULL in another process, ") + (curve ? "CURVE" : "in the clear") +
                    ", HWM 100,000 or 64 MiB, loopback TCP");
}

// Returns what comes until it is let go.
void echo(const Wire& wire, std::uint64_t count) {
  const Context context;
  Socket answerer(context, ZMQ_DEALER, call_size);
  wire.say(answerer.bind());
  for (std::uint64_t i = 0; i < count; ++i) answerer.send(answerer.receive());
  static_cast<void>(wire.hear());
}

// The median time of one message there and back, one at a time.
void round_trip(std::uint64_t count) {
  ServerProcess server([&](Wire& wire) { echo(wire, count + warm_up_calls); });
  const Context context;
  Socket caller(context, ZMQ_DEALER, call_size);
  caller.connect(server.wire().hear());
  std::vector<double> times_us;
  times_us.reserve(count);
  for (std::uint64_t i = 0; i < count + warm_up_calls; ++i) {
    const auto begin = Steady::now();
    caller.send(i);
    if (caller.receive() != i) give_up("another answer");
    if (i >= warm_up_calls) times_us.push_back(seconds_since(begin) * 1e6);
  }
  print_figure("us", median(std::move(times_us)),
               "DEALER to DEALER in another process, in the clear, one at a time, loopback TCP");
}

// The 99th percentile of the same at a fixed rate.
void round_trips_at_fixed_rate(std::uint64_t count) {
  ServerProcess server([&](Wire& wire) { echo(wire, count + warm_up_calls); });
  const Context context;
  Socket caller(context, ZMQ_DEALER, call_size);
  caller.connect(server.wire().hear());
  caller.send();
  caller.receive();
  OpenLoop loop(calls_per_second, warm_up_calls - 1, count);
  std::array<zmq_pollitem_t, 2> either = {
      {{caller.get(), 0, ZMQ_POLLIN, 0}, {nullptr, loop.descriptor(), ZMQ_POLLIN, 0}}};
  for (std::uint64_t begun = 0; !loop.finished();) {
    check(zmq_poll(either.data(), either.size(), -1), "zmq_poll");
    if ((either[1].revents & ZMQ_POLLIN) != 0) {
      for (const std::uint64_t due = loop.wait(); begun < due; ++begun) caller.send(begun);
    }
    while (const std::optional<std::uint64_t> answered = caller.try_receive()) loop.answered(*answered);
  }
  print_figure("us", loop.percentile_us(0.99),
               "DEALER to DEALER in another process, in the clear, " + std::to_string(calls_per_second) +
                   " a second whatever is answered, counted from when each was due, loopback TCP");
}

// From when the senders are let go to the last receive.
void fan_in(std::uint64_t each) {
  ServerProcess senders([&](Wire& wire) {
    const Context context;
    const std::string endpoint = wire.hear();
    std::deque<Socket> sources;
    for (std::uint64_t i = 0; i < fan_in_senders; ++i) {
      sources.emplace_back(context, ZMQ_PUSH, fan_in_size).connect(endpoint);
      sources.back().send();
    }
    static_cast<void>(wire.hear());
    for (std::uint64_t sent = 0; sent < each; sent += burst) {
      for (Socket& source : sources) {
        for (std::uint64_t i = sent; i < std::min(sent + burst, each); ++i) source.send();
      }
    }
    static_cast<void>(wire.hear());
  });
  const Context context;
  Socket sink(context, ZMQ_PULL, fan_in_size);
  senders.wire().say(sink.bind());
  for (std::uint64_t i = 0; i < fan_in_senders; ++i) sink.receive();
  const auto begin = Steady::now();
  senders.wire().say("go");
  for (std::uint64_t i = 0; i < each * fan_in_senders; ++i) sink.receive();
  print_figure(
      "msg/s", static_cast<double>(each * fan_in_senders) / seconds_since(begin),
      std::to_string(fan_in_size) + " B a message, " + std::to_string(fan_in_senders) +
          " PUSH of one context in another process to one PULL, in the clear, HWM 100,000, loopback TCP");
}

int main_of(const Arguments& arguments) {
  const auto count_or = [&](std::uint64_t otherwise) {
    return arguments.count != 0 ? arguments.count : otherwise;
  };
  if (arguments.name == "versions") {
    int major = 0;
    int minor = 0;
    int patch = 0;
    zmq_version(&major, &minor, &patch);
    print_versions(
        {{"libzmq", std::to_string(major) + "." + std::to_string(minor) + "." + std::to_string(patch)}});
  } else if (const OneWay* const what = find_one_way(arguments.name)) {
    one_way(*what, what->total(arguments.count), arguments.name.ends_with("_curve"));
  } else if (arguments.name == "round_trip_p50") {
    round_trip(count_or(round_trips_default));
  } else if (arguments.name == "round_trip_p99") {
    round_trips_at_fixed_rate(count_or(calls_default));
  } else if (arguments.name == "fan_in_50") {
    fan_in(fan_in_each(arguments.count));
  } else {
    give_up(
        "libzmq_bench knows: versions link_100 link_100_curve link_1k link_1k_curve link_64k link_64k_curve "
        "link_1m link_64m "
        "round_trip_p50 round_trip_p99 fan_in_50");
  }
  return 0;
}

}  // namespace
}  // namespace cobus::bench

int main(int argc, char** argv) { return cobus::bench::main_of(cobus::bench::parse_arguments(argc, argv)); }
