// SPDX-License-Identifier: Apache-2.0
//
// SimNetwork: hosts, connections and their misfortunes in one thread, on simulated time, from a seed.
// It stands in for ZeroMQ below Links in tests and in the simulator: frames take time and keep their
// order within a connection and direction, connections break, hosts die, hosts cannot see each other.
// The same seed and the same calls give the same run. It does not step anybody: whoever drives it
// advances the clock to next_event() and polls.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "node/link/transport.hpp"
#include "node/runtime/random.hpp"

namespace cobus::link {

class SimTransport;

struct SimOptions {
  Duration latency_min = std::chrono::microseconds(50);
  Duration latency_max = std::chrono::milliseconds(1);
  // One frame in so many takes up to `slow_max` instead, and what follows it waits; 0 = none does.
  std::uint64_t slow_one_in = 0;
  Duration slow_max = std::chrono::seconds(1);
  // One frame in so many breaks its connection instead of arriving; 0 = none does.
  std::uint64_t break_one_in = 0;
  // Who closes a connection may take what it sent right before with it, as may happen to a real one.
  bool closing_may_lose = true;
  // On their way in one direction of a connection; more would block.
  std::size_t in_flight_bytes_max = 4 * 1024 * 1024;
};

class SimNetwork {
 public:
  explicit SimNetwork(std::uint64_t seed, SimOptions options = {});
  ~SimNetwork();
  SimNetwork(const SimNetwork&) = delete;
  SimNetwork& operator=(const SimNetwork&) = delete;

  [[nodiscard]] ManualClock& clock() noexcept { return clock_; }
  [[nodiscard]] Random& random() noexcept { return random_; }
  // May be changed at any time; holds for what is sent from then on.
  [[nodiscard]] SimOptions& options() noexcept { return options_; }

  // A process on `host`, which proves `key` and listens at `endpoint` (tcp://10.0.0.1:7000; empty: has no
  // door). Its end is the end of the process. Must not outlive the network. Who attaches where
  // another one listens takes its place.
  [[nodiscard]] std::unique_ptr<Transport> attach(std::string host, std::string endpoint, CurveKey key);

  // From now on nothing passes between the two hosts. What is on its way waits for heal(), as TCP
  // would have it, dials too; the patience is the caller's.
  void cut(const std::string& one, const std::string& other);
  void heal(const std::string& one, const std::string& other);
  void heal_all() { cuts_.clear(); }

  // Kills the processes on `host`: the other ends learn that their connections ended, and may get before that
  // what was sent; later dials are refused. The killed transports report nothing more and send nothing.
  void kill(const std::string& host);
  // Ends the connections between two hosts, for both sides; what was on its way is lost.
  void break_connections(const std::string& one, const std::string& other);

  // The same for one side: `one` hears of the end, `other` hears nothing any more, as when a firewall
  // between them forgot.
  void break_half(const std::string& one, const std::string& other);

  // Nothing passes any more over the connections between two hosts, and nobody hears of it; what was on its
  // way is lost. New connections are not concerned.
  void forget_connections(const std::string& one, const std::string& other);

  // Nobody polls on `host` before `until`: what is due there waits, and next_event() knows.
  void freeze(const std::string& host, TimePoint until);

  // When the next delivery is due; `never` when nothing is on its way, or only between hosts that are cut.
  [[nodiscard]] TimePoint next_event() const;
  // Connections that neither end has closed, opening ones included.
  [[nodiscard]] std::size_t connections() const;

 private:
  friend class SimTransport;
  struct End {
    SimTransport* owner = nullptr;  // null: closed, or its process is gone
    ConnectionId id = ConnectionId::none;
    CurveKey peer_key;
    std::string peer_host;
    TimePoint last_due{};  // of what was sent to this end
    std::size_t in_flight_bytes = 0;
    bool known = false;   // its owner has heard of it: dialled it, or got a frame
    bool ending = false;  // the news of its end is on the way: nothing comes behind that
  };
  struct Connection {
    std::array<End, 2> ends;  // the dialling one first
    bool forgotten = false;   // on the way between them
  };
  enum class What : std::uint8_t { opened, frame, closed };
  struct Delivery {
    What what;
    std::shared_ptr<Connection> connection;
    std::size_t end;  // who gets it
    std::string bytes;
    CloseReason reason = CloseReason::disconnected;
    // Of a frame that was sent without a copy: it is read only when it arrives, as by a real transport's
    // thread, and has to be what was sent.
    std::shared_ptr<const std::string> share = nullptr;
  };

  [[nodiscard]] Result<ConnectionId> dial(SimTransport& from, const std::string& endpoint,
                                          const CurveKey& server_key);
  [[nodiscard]] SimTransport* listener_at(const std::string& endpoint) const;
  // Puts `delivery` on its way, behind what goes to the same end already. Nothing when that end is closed.
  void schedule(Delivery delivery);
  // What is on its way to `end` is lost.
  static void drop(const std::shared_ptr<Connection>& connection, std::size_t end);
  // The owner of `end` is done with the connection; the other end hears of it. With `lose`, what was on
  // its way there is dropped. The caller's own pointer keeps it alive.
  void leave(const std::shared_ptr<Connection>& connection, std::size_t end, bool lose);
  // Both ends hear that it is over; what was on its way is dropped.
  void break_connection(const std::shared_ptr<Connection>& connection);
  void end_process(SimTransport& transport);
  // Connections between two hosts, with the number of the end that is at `one`.
  [[nodiscard]] std::vector<std::pair<std::shared_ptr<Connection>, std::size_t>> between(
      const std::string& one, const std::string& other) const;
  [[nodiscard]] bool is_cut(const std::string& one, const std::string& other) const;

  ManualClock clock_;
  SeededRandom random_;
  SimOptions options_;
  std::uint64_t last_connection_ = 0;
  std::uint64_t last_delivery_ = 0;
  std::uint64_t last_transport_ = 0;
  std::map<std::uint64_t, SimTransport*> transports_;  // in the order of attach(), so that runs repeat
  std::set<std::pair<std::string, std::string>> cuts_;
};

}  // namespace cobus::link
