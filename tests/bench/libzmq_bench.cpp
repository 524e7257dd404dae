// SPDX-License-Identifier: Apache-2.0
//
// libzmq by itself, as someone would use it who needs nothing more: two processes on the loopback, whole
// messages, no acknowledgement, no addresses, in the clear unless the name says otherwise.
#include <zmq.h>

#include <array>
#include <string>
#include <vector>

#include "tests/bench/figure.hpp"
#include "tests/bench/server_process.hpp"

namespace cobus::bench {
namespace {

constexpr std::uint64_t messages_default = 3'000'000;
constexpr std::uint64_t round_trips_default = 20'000;
constexpr std::uint64_t warm_up_calls = 1'000;
constexpr std::size_t size = 100;
constexpr int queued_max = 100'000;  // ZMQ_SNDHWM and ZMQ_RCVHWM; the default of 1,000 is slower

void check(int result, const char* what) {
  if (result < 0) give_up(std::string(what) + ": " + zmq_strerror(zmq_errno()));
}

// The CURVE key pair of one side, in Z85.
struct Keys {
  std::array<char, 41> open{};
  std::array<char, 41> secret{};
  Keys() { check(zmq_curve_keypair(open.data(), secret.data()), "zmq_curve_keypair"); }
};

class Socket {
 public:
  explicit Socket(int type) : context_(zmq_ctx_new()), socket_(zmq_socket(context_, type)) {
    check(zmq_setsockopt(socket_, ZMQ_SNDHWM, &queued_max, sizeof queued_max), "ZMQ_SNDHWM");
    check(zmq_setsockopt(socket_, ZMQ_RCVHWM, &queued_max, sizeof queued_max), "ZMQ_RCVHWM");
  }
  ~Socket() {
    const int none = 0;
    zmq_setsockopt(socket_, ZMQ_LINGER, &none, sizeof none);
    zmq_close(socket_);
    zmq_ctx_term(context_);
  }
  Socket(const Socket&) = delete;
  Socket& operator=(const Socket&) = delete;

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
  void send(const void* data, std::size_t bytes) { check(zmq_send(socket_, data, bytes, 0), "zmq_send"); }
  std::size_t receive(void* into, std::size_t room) {
    const int bytes = zmq_recv(socket_, into, room, 0);
    check(bytes, "zmq_recv");
    return static_cast<std::size_t>(bytes);
  }

 private:
  void set(int option, const std::array<char, 41>& key) {
    check(zmq_setsockopt(socket_, option, key.data(), key.size()), "CURVE key");
  }

  void* context_;
  void* socket_;
};

// Messages a second from the first send to the last receive.
void one_way(std::uint64_t count, bool curve) {
  const Keys server_keys;
  const Keys client_keys;
  ServerProcess server([&](Wire& wire) {
    Socket sink(ZMQ_PULL);
    if (curve) sink.secure_server(server_keys);
    wire.say(sink.bind());
    std::array<char, size> buffer{};
    sink.receive(buffer.data(), buffer.size());
    wire.say("connected");
    for (std::uint64_t i = 0; i < count; ++i) {
      if (sink.receive(buffer.data(), buffer.size()) != size) give_up("a message of another size");
    }
    wire.say("all here");
    static_cast<void>(wire.hear());
  });
  Socket source(ZMQ_PUSH);
  if (curve) source.secure_client(client_keys, server_keys);
  source.connect(server.wire().hear());
  const std::array<char, size> message{};
  source.send(message.data(), message.size());
  if (server.wire().hear() != "connected") give_up("no connection");
  const auto begin = Steady::now();
  for (std::uint64_t i = 0; i < count; ++i) source.send(message.data(), message.size());
  if (server.wire().hear() != "all here") give_up("messages were lost");
  print_figure("msg/s", static_cast<double>(count) / seconds_since(begin),
               std::string("PUSH to PULL in another process, ") + (curve ? "CURVE" : "in the clear") +
                   ", HWM 100,000, loopback TCP");
}

// The median time of one message there and back, one at a time.
void round_trip(std::uint64_t count) {
  ServerProcess server([&](Wire& wire) {
    Socket echo(ZMQ_DEALER);
    wire.say(echo.bind());
    std::array<char, size> buffer{};
    for (std::uint64_t i = 0; i < count + warm_up_calls; ++i) {
      echo.send(buffer.data(), echo.receive(buffer.data(), buffer.size()));
    }
    static_cast<void>(wire.hear());
  });
  Socket caller(ZMQ_DEALER);
  caller.connect(server.wire().hear());
  std::array<char, size> message{};
  std::vector<double> times_us;
  times_us.reserve(count);
  for (std::uint64_t i = 0; i < count + warm_up_calls; ++i) {
    const auto begin = Steady::now();
    caller.send(message.data(), message.size());
    caller.receive(message.data(), message.size());
    if (i >= warm_up_calls) times_us.push_back(seconds_since(begin) * 1e6);
  }
  print_figure("us", median(std::move(times_us)),
               "DEALER to DEALER in another process, in the clear, one at a time, loopback TCP");
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
  } else if (arguments.name == "link_100" || arguments.name == "link_100_curve") {
    one_way(count_or(messages_default), arguments.name != "link_100");
  } else if (arguments.name == "round_trip_p50") {
    round_trip(count_or(round_trips_default));
  } else {
    give_up("libzmq_bench knows: versions link_100 link_100_curve round_trip_p50");
  }
  return 0;
}

}  // namespace
}  // namespace cobus::bench

int main(int argc, char** argv) { return cobus::bench::main_of(cobus::bench::parse_arguments(argc, argv)); }
