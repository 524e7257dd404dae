// SPDX-License-Identifier: Apache-2.0
//
// What one other node has here at once is bounded, however it is spread, and comes off its account when it is
// read or dropped: envelope by envelope, as they come from its link.
#include "node/worker/peer_account.hpp"

#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <vector>

#include "echo.cobus.h"
#include "node/worker/self.hpp"
#include "tests/support/echo_messages.hpp"
#include "tests/support/test_node.hpp"

namespace cobus {
namespace {

using echo::CollectReply;
using echo::EchoReply;
using echo::EchoRequest;
using std::chrono::seconds;

constexpr std::size_t large = 1'000'000;
constexpr std::size_t most = limits::peer_held_bytes_max;

// Reads nothing for a second, and then all that there is.
Task<> late_reader(Self self, std::vector<Address>* addresses, std::size_t* read) {
  addresses->push_back(self.address());
  static_cast<void>(co_await sleep(seconds(1)));
  while (auto message = co_await self.receive<EchoRequest>(seconds(1))) ++*read;
}

class Idle final : public echo::EchoService {
 public:
  // Reads none of its requests until it is stopped.
  Task<Result<CollectReply>> Collect(Call call, Incoming<EchoRequest> requests) override {
    handlers.push_back(call.self().address().worker);
    static_cast<void>(co_await sleep(seconds(1000)));
    statuses.push_back(requests.status());
    co_return CollectReply();
  }
  std::vector<WorkerId> handlers;
  std::vector<Status> statuses;
};

class HeldOfPeer : public TestNode {
 protected:
  static constexpr NodeId afar{77};
  static constexpr NodeId another{78};

  HeldOfPeer() : TestNode(2) {
    auto service = std::make_unique<Idle>();
    service_ = service.get();
    node_->add_service(std::move(service));
  }
  void come(EnvelopeHeader header, std::size_t bytes, NodeId from = afar) {
    link::PeerInfo peer;
    peer.node = from;
    peer.name = "afar";
    peer.role = v1::NODE;
    const std::string payload = bytes == 0 ? std::string() : say(std::string(bytes, 'x')).SerializeAsString();
    if (bytes != 0) header.type = static_cast<std::uint64_t>(type_id_of<EchoRequest>());
    header.from = WorkerId::make(0, 1, 1).value;
    const auto frame = std::make_shared<const std::string>(payload);
    node_->on_envelope(peer, {header, *frame}, link::FrameIn(frame));
    at_frame_end_ = node_->on_frame_end(peer);
  }
  void message(WorkerId to, std::size_t bytes, NodeId from = afar) {
    EnvelopeHeader header;
    header.kind = v1::MESSAGE;
    header.to = to.value;
    come(header, bytes, from);
    step();
  }
  // Upstream, of the call with that number.
  void item(std::uint64_t call, WorkerId handler, std::size_t bytes) {
    EnvelopeHeader header;
    header.kind = v1::ITEM;
    header.flags = v1::UPSTREAM;
    header.to = handler.value;
    header.call = call;
    come(header, bytes);
    step();
  }
  std::vector<Address> readers(int count) {
    std::vector<Address> all;
    for (int i = 0; i < count; ++i) spawn(&late_reader, &all, &read);
    return all;
  }
  // As much as it may have, in workers of ours.
  std::vector<Address> fill() {
    std::vector<Address> all = readers(8);
    for (std::size_t i = 0; i <= most / large; ++i) message(all[i % all.size()].worker, large);
    EXPECT_EQ(dead(DeadLetter::mailbox_full), 1U) << "the last, which was above it";
    EXPECT_LE(held(), most);
    return all;
  }
  std::uint64_t held() { return node_->peer_accounts().held_of(afar); }
  std::uint64_t dead(DeadLetter why) { return node_->dead_letters().count(why); }
  void expect_nothing_held() {
    EXPECT_EQ(node_->peer_accounts().held(), 0U);
    EXPECT_EQ(node_->answer_peer_accounts().held(), 0U);
    EXPECT_EQ(workers(), 0U);
  }
  Idle* service_;
  Status at_frame_end_;
  std::size_t read = 0;
};

TEST_F(HeldOfPeer, M5_WhatOneNodeSendsIsBoundedForAllWorkersTogether) {
  std::vector<Address> all = readers(8);
  for (int i = 0; i < 100; ++i) message(all[static_cast<std::size_t>(i) % all.size()].worker, large);
  EXPECT_LE(held(), most);
  EXPECT_GT(held(), most - 2 * large);
  EXPECT_EQ(dead(DeadLetter::mailbox_full), 100U - most / large);
  message(all[0].worker, large, another);
  EXPECT_EQ(dead(DeadLetter::mailbox_full), 100U - most / large) << "another node has its own";
  EXPECT_GT(node_->peer_accounts().held_of(another), large);
  for (int i = 0; i < 4; ++i) advance(seconds(1));
  EXPECT_EQ(read, most / large + 1);
  expect_nothing_held();
}

// Each had its messages on their way before it could hear that the mailbox is full.
TEST_F(HeldOfPeer, M3_HoweverManyNodesSendToOneFullMailboxNoneLosesWhatWasOnItsWay) {
  const std::vector<Address> slow = readers(1);
  for (std::uint64_t node = 1000; node < 1050; ++node) {
    for (int i = 0; i < 10; ++i) message(slow[0].worker, large / 2, NodeId{node});
  }
  EXPECT_EQ(dead(DeadLetter::mailbox_full), 0U);
  EXPECT_GT(node_->peer_accounts().held(),
            limits::mailbox_bytes_max + 2 * limits::mailbox_overshoot_bytes_max);
  advance(seconds(1));
  EXPECT_EQ(read, 500U);
  for (int i = 0; i < 4; ++i) advance(seconds(1));
  expect_nothing_held();
}

TEST_F(HeldOfPeer, M5_AllOfItComesOffTheAccountWhenItsReadersEnd) {
  const std::vector<Address> all = fill();
  for (const Address& reader : all) {
    node_->run_on(reader.worker.shard(),
                  [id = reader.worker](Home& home) { home.end(*home.find(id), exit_reason::kill()); });
  }
  step();
  expect_nothing_held();
}

TEST_F(HeldOfPeer, M5_TheAccountOutlivesTheSession) {
  const std::vector<Address> all = fill();
  lose(afar);
  EXPECT_GT(held(), most - 2 * large) << "it is still in the mailboxes";
  message(all[0].worker, large);
  EXPECT_EQ(dead(DeadLetter::mailbox_full), 2U) << "a new session is no new account";
  lose(afar);
  for (int i = 0; i < 4; ++i) advance(seconds(1));
  EXPECT_GT(read, 60U);
  expect_nothing_held();
  lose(another);  // which is when it is forgotten
  EXPECT_EQ(held(), 0U);
}

// Those who send in a civil way are asked to wait long before anything is dropped, also to an empty mailbox.
TEST_F(HeldOfPeer, M5_FromHalfOfItOnItsSendersAreToldToWait) {
  const auto told = [this] { return node_->home(0).held().told_full + node_->home(1).held().told_full; };
  std::vector<Address> all = readers(8);
  std::vector<Address> last = readers(1);
  for (std::size_t i = 0; held() + large < most / 2; ++i) message(all[i % all.size()].worker, large);
  EXPECT_EQ(told(), 0U);
  message(all[0].worker, large);
  message(last[0].worker, 1);
  EXPECT_EQ(told(), 2U);
  for (int i = 0; i < 4; ++i) advance(seconds(1));
  EXPECT_EQ(told(), 0U);
  EXPECT_EQ(node_->dead_letters().total(), 0U);
  expect_nothing_held();
}

// Also to one that reads nothing more, and has nothing.
TEST_F(HeldOfPeer, M5_WhoWasToldToWaitGoesOnWhenOthersHaveReadWhatWasTooMuch) {
  const auto told = [this] { return node_->home(0).held().told_full + node_->home(1).held().told_full; };
  std::vector<Address> all = readers(8);
  Address idle;
  spawn(
      +[](Self self, Address* address) -> Task<> {
        *address = self.address();
        static_cast<void>(co_await self.receive<EchoRequest>());
        static_cast<void>(co_await sleep(seconds(1000)));
      },
      &idle);
  for (std::size_t i = 0; held() < most / 2; ++i) message(all[i % all.size()].worker, large);
  message(idle.worker, 1);
  for (int i = 0; i < 100; ++i) advance(std::chrono::milliseconds(1));
  EXPECT_EQ(told(), 2U) << "nobody has read anything";
  for (int i = 0; i < 4; ++i) advance(seconds(1));
  EXPECT_EQ(told(), 0U);
  EXPECT_EQ(node_->home(idle.worker.shard()).shard().timers().size(), 1U) << "its own: nobody looks any more";
  lose(afar);
  advance(seconds(1000));
  expect_nothing_held();
}

TEST_F(HeldOfPeer, M5_RequestsBeyondItAreRefusedWithoutTheirPayload) {
  const std::vector<Address> all = fill();
  const std::uint64_t before = held();
  for (const WorkerId to : {all[0].worker, WorkerId{}}) {
    EnvelopeHeader header;
    header.kind = v1::REQUEST;
    header.to = to.value;
    if (!to) header.to_name = "echo.Echo/Echo";
    header.call = 9;
    come(header, large);
    EXPECT_LT(held(), before + 1000) << "until it is answered";
    step();
    EXPECT_EQ(held(), before);
  }
  EXPECT_EQ(workers(), all.size()) << "no handler began";
  for (int i = 0; i < 4; ++i) advance(seconds(1));
  expect_nothing_held();
}

// The errors that answer requests. The tests that use it let requests come from the node itself, since a tap
// shows what goes to another node where it arrives.
class SeenErrors final : public TrafficObserver {
 public:
  void saw(const Sighting& sighting) noexcept override {
    if (sighting.kind != v1::ERROR) return;
    ++count;
    to = sighting.to;
    call = sighting.call;
    status = *sighting.status;
  }
  std::uint64_t count = 0;
  Address to;
  std::uint64_t call = 0;
  Status status;
};

TEST_F(HeldOfPeer, M4_ARequestToAShardThatIsFarBehindIsAnswered) {
  SeenErrors errors;
  node_->use_observer(&errors);
  // Less than twice the bound: the shard answers. More: the request does not even reach it.
  std::uint64_t answered = 0;
  for (const std::uint64_t behind : {limits::shard_inbox_bytes_max, 2 * limits::shard_inbox_bytes_max}) {
    for (unsigned shard = 0; shard < node_->shards(); ++shard) node_->home(shard).expect_bytes(behind);
    for (const WorkerId to : {WorkerId::make(1, 1, 1), WorkerId{}}) {
      EnvelopeHeader header;
      header.kind = v1::REQUEST;
      header.to = to.value;
      if (!to) header.to_name = "echo.Echo/Echo";
      header.call = 9;
      come(header, large, node_->id());
      step();
      EXPECT_EQ(errors.count, ++answered);
      EXPECT_EQ(errors.to, (Address{node_->id(), WorkerId::make(0, 1, 1)}));
      EXPECT_EQ(errors.call, 9U);
      EXPECT_EQ(errors.status.code(), Code::resource_exhausted);
      EXPECT_EQ(errors.status.detail("started"), "no");
    }
    for (unsigned shard = 0; shard < node_->shards(); ++shard) node_->home(shard).expect_bytes(-behind);
  }
  EXPECT_EQ(dead(DeadLetter::mailbox_full), 0U);
  expect_nothing_held();
  node_->use_observer(nullptr);
}

TEST_F(HeldOfPeer, M4_RequestsFarBeyondItAreAnsweredToo) {
  SeenErrors errors;
  node_->use_observer(&errors);
  EnvelopeHeader header;
  header.kind = v1::REQUEST;
  header.to = WorkerId::make(0, 7, 7).value;  // nobody
  header.call = 9;
  std::uint64_t requests = 0;
  for (; errors.count == 0 && requests < 3 * most / 256; ++requests) come(header, 0, node_->id());
  EXPECT_EQ(errors.count, 1U) << "at once, since so many wait that their answers would take memory";
  EXPECT_GT(node_->peer_accounts().held_of(node_->id()), most);
  EXPECT_TRUE(at_frame_end_.ok());
  step();
  EXPECT_EQ(errors.count, requests);
  EXPECT_EQ(dead(DeadLetter::mailbox_full), 0U);
  expect_nothing_held();
  node_->use_observer(nullptr);
}

TEST_F(HeldOfPeer, M5_AnItemBeyondItEndsItsStream) {
  constexpr std::uint64_t streams = 40;
  for (std::uint64_t call = 1; call <= streams; ++call) {
    EnvelopeHeader header;
    header.kind = v1::REQUEST;
    header.flags = v1::UPSTREAM;
    header.to_name = "echo.Echo/Collect";
    header.call = call;
    come(header, 0);
    step();
    for (int i = 0; i < 2; ++i) item(call, service_->handlers.back(), large);
  }
  EXPECT_LE(held(), most);
  const std::size_t whole = most / (2 * large);
  EXPECT_EQ(service_->statuses.size(), streams - whole);
  for (const Status& status : service_->statuses) EXPECT_EQ(status.code(), Code::resource_exhausted);
  EXPECT_EQ(node_->calls_running.load(), whole) << "the others go on";
  lose(afar);
  EXPECT_EQ(service_->statuses.size(), streams);
  expect_nothing_held();
}

// Of a peer that heeds neither credit nor what it is told: each item is refused, and takes memory until then.
TEST_F(HeldOfPeer, M5_ItemsWithoutEndEndTheSession) {
  fill();
  EnvelopeHeader header;
  header.kind = v1::ITEM;
  header.call = 1;
  std::uint64_t items = 0;
  for (; at_frame_end_.ok() && items < limits::peer_held_bytes_end / 256; ++items) come(header, 0);
  EXPECT_EQ(at_frame_end_.code(), Code::resource_exhausted);
  EXPECT_GT(held(), limits::peer_held_bytes_end);
  step();
  come(header, 0);
  EXPECT_TRUE(at_frame_end_.ok()) << "once they have been refused";
  for (int i = 0; i < 4; ++i) advance(seconds(1));
  expect_nothing_held();
}

// There is as much of them as our own calls and bonds ask for; a peer may send more, while a shard is held.
TEST_F(HeldOfPeer, M5_AnswersWithoutEndEndTheSession) {
  link::PeerInfo peer;
  peer.node = afar;
  peer.role = v1::NODE;
  // One frame, counted as often as it comes.
  const auto frame = std::make_shared<const std::string>(std::size_t{32} * 1024 * 1024, 'x');
  EnvelopeHeader header;
  header.kind = v1::REPLY;
  header.call = std::uint64_t{1} << 24;
  header.to = WorkerId::make(0, 1, 1).value;
  std::uint64_t bytes = 0;
  const auto reply = [&] {
    node_->on_envelope(peer, {header, *frame}, link::FrameIn(frame));
    bytes += frame->size();
    return node_->on_frame_end(peer);
  };
  while (bytes + frame->size() < limits::peer_answers_bytes_end) ASSERT_TRUE(reply().ok()) << bytes;
  EXPECT_EQ(reply().code(), Code::resource_exhausted);
  EXPECT_EQ(held(), 0U) << "its messages are counted by themselves";
  EXPECT_GT(node_->answer_peer_accounts().held_of(afar), limits::peer_answers_bytes_end);
  step();
  expect_nothing_held();
  EXPECT_TRUE(reply().ok()) << "once they have been looked at";
  step();
}

TEST_F(HeldOfPeer, M5_SignalsTakeRoomUntilTheyAreHandled) {
  const auto held_of_answers = [&] { return node_->answer_peer_accounts().held_of(afar); };
  const std::string reason = encode_status({Code::aborted, std::string(500, 'r')});
  EnvelopeHeader header;
  header.to = WorkerId::make(1, 1, 1).value;
  header.call = 7;
  for (const v1::Kind kind : {v1::MONITOR, v1::DEMONITOR, v1::LINK, v1::UNLINK, v1::UNLINK_ACK, v1::DOWN,
                              v1::EXIT, v1::ERROR, v1::END, v1::CREDIT}) {
    header.kind = kind;
    header.status = {};
    const std::uint64_t before = held_of_answers();
    come(header, 0);
    const std::uint64_t bare = held_of_answers() - before;
    EXPECT_GE(bare, sizeof(Envelope)) << v1::Kind_Name(kind);
    header.status = reason;
    come(header, 0);
    EXPECT_GT(held_of_answers() - before, 2 * bare + 500) << v1::Kind_Name(kind);
  }
  step();
  EXPECT_EQ(held_of_answers(), 0U);
  header.kind = v1::CANCEL;  // for whichever shard has the call
  header.to = 0;
  header.status = {};
  come(header, 0);
  EXPECT_GE(held_of_answers(), node_->shards() * sizeof(Envelope));
  step();
  EXPECT_EQ(held_of_answers(), 0U);
  lose(afar);
}

TEST_F(HeldOfPeer, M5_WhatHasNoKindAndNobodyToAnswerIsNotEvenKept) {
  const std::size_t before = node_->home(0).inbound_bytes();
  come({}, 0);
  EnvelopeHeader unheard_of;
  unheard_of.kind = static_cast<v1::Kind>(99);
  come(unheard_of, 0);
  EXPECT_EQ(dead(DeadLetter::unknown_kind), 2U);
  EXPECT_EQ(node_->home(0).inbound_bytes(), before);
  unheard_of.call = 7;  // somebody waits for an answer
  come(unheard_of, 0);
  EXPECT_GT(node_->home(0).inbound_bytes(), before);
  step();
}

TEST_F(HeldOfPeer, M5_AMessageInPartsIsOneMessage) {
  std::string whole;
  append_envelope(whole, {.to = 5, .from = 6, .kind = v1::MESSAGE}, "one");
  const auto come_whole = [&] {
    link::PeerInfo peer;
    peer.node = afar;
    peer.role = v1::NODE;
    EnvelopeHeader part;
    part.kind = v1::PART;
    part.call = 9;
    part.flags = v1::LAST_PART;
    const auto frame = std::make_shared<const std::string>(whole);
    node_->on_envelope(peer, {part, *frame}, link::FrameIn(frame));
    EXPECT_TRUE(node_->on_frame_end(peer).ok());
    step();
  };
  come_whole();
  EXPECT_EQ(dead(DeadLetter::no_such_worker), 1U);
  append_envelope(whole, {.to = 5, .from = 6, .kind = v1::MESSAGE}, "two");
  come_whole();
  EXPECT_EQ(dead(DeadLetter::malformed), 1U);
  EXPECT_EQ(dead(DeadLetter::no_such_worker), 1U);
}

TEST_F(HeldOfPeer, M5_AnAnswerIsTakenAndAnItemOfOneIsNotBeyondIt) {
  node_->links().learn(afar, {"tcp://10.9.9.9:1"}, {});  // so that calls wait for it
  std::optional<Status> streamed;
  std::optional<Status> replied;
  std::vector<Address> callers(2);
  spawn_on(
      0,
      +[](Self self, Address* address, std::optional<Status>* ended) -> Task<> {
        *address = self.address();
        auto call = echo::EchoStub(self, afar).Chat();
        while (co_await call.next()) {
        }
        *ended = call.status();
      },
      &callers[0], &streamed);
  spawn_on(
      1,
      +[](Self self, Address* address, std::optional<Status>* ended) -> Task<> {
        *address = self.address();
        auto reply = co_await echo::EchoStub(self, afar).Echo(say("hello"));
        *ended = reply ? Status() : reply.error();
      },
      &callers[1], &replied);
  fill();
  EnvelopeHeader answer;
  answer.call = std::uint64_t{1} << 24;  // the first call of its shard
  answer.kind = v1::ITEM;
  answer.to = callers[0].worker.value;
  come(answer, large);
  answer.kind = v1::REPLY;
  answer.to = callers[1].worker.value;
  answer.type = static_cast<std::uint64_t>(type_id_of<EchoReply>());
  come(answer, 0);
  step();
  ASSERT_TRUE(streamed);
  EXPECT_EQ(streamed->code(), Code::resource_exhausted);
  ASSERT_TRUE(replied);
  EXPECT_TRUE(replied->ok()) << replied->to_string();
  for (int i = 0; i < 4; ++i) advance(seconds(1));
  expect_nothing_held();
}

// Nothing of it can be had for nothing: neither by empty messages nor by long names.
TEST_F(HeldOfPeer, M5_WhatHasNoPayloadTakesRoomToo) {
  const std::vector<Address> all = readers(1);
  message(all[0].worker, 0);
  EXPECT_GE(held(), sizeof(EncodedEnvelope));
  const std::string name(200, 'n');
  EnvelopeHeader header;
  header.kind = v1::MESSAGE;
  header.to = all[0].worker.value;
  header.to_name = name;
  come(header, 0);
  step();
  EXPECT_GE(held(), 2 * sizeof(EncodedEnvelope) + name.size());
  for (int i = 0; i < 4; ++i) advance(seconds(1));
  expect_nothing_held();
}

}  // namespace
}  // namespace cobus
