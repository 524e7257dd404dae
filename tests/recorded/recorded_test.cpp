// SPDX-License-Identifier: Apache-2.0
//
// Frames that the programs of earlier releases said to one another, read with today's code: what was meant
// then is understood now, and what is written now is what they read. record.py made the files;
// tests/system/skew_test.py runs the programs themselves.
#include <gtest/gtest.h>

#include <cobus/v1/admin.pb.h>
#include <cobus/v1/inspect.pb.h>
#include <cobus/v1/job.pb.h>
#include <cobus/v1/observe.pb.h>

#include <algorithm>
#include <fstream>
#include <map>
#include <sstream>

#include "broker/directory.hpp"
#include "echo.pb.h"
#include "node/cluster/view.hpp"
#include "node/link/hello.hpp"
#include "node/link/revocations.hpp"
#include "node/link/session.hpp"
#include "primes.pb.h"
#include "proto/codec.hpp"
#include "proto/limits.hpp"
#include "proto/schema.hpp"
#include "proto/type_id.hpp"
#include "text.pb.h"

namespace cobus {
namespace {

std::string unhex(const std::string& text) {
  std::string bytes;
  for (std::size_t at = 0; at + 1 < text.size(); at += 2)
    bytes += static_cast<char>(std::stoi(text.substr(at, 2), nullptr, 16));
  return bytes;
}

struct Frame {
  std::string from;
  std::string to;
  std::string bytes;
};

struct Message {
  std::string from;
  std::string to;
  EnvelopeView envelope;

  template <class Type>
  [[nodiscard]] bool is() const {
    return envelope.header.type == static_cast<std::uint64_t>(type_id_of<Type>());
  }
  template <class Type>
  [[nodiscard]] Type as() const {
    Type parsed;
    EXPECT_TRUE(parsed.ParseFromArray(envelope.payload.data(), static_cast<int>(envelope.payload.size())));
    EXPECT_EQ(parsed.GetReflection()->GetUnknownFields(parsed).field_count(), 0);
    return parsed;
  }
};

// All tests of a release share one; its views point into `frames`.
struct Recording {
  explicit Recording(const std::string& release) {
    std::ifstream file(std::string(COBUS_RECORDED) + "/" + release + ".frames");
    for (std::string line; std::getline(file, line);) {
      std::istringstream words(line);
      Frame frame;
      words >> frame.from >> frame.to >> frame.bytes;
      if (frame.from == "cluster") {
        std::ranges::copy(unhex(frame.to), cluster.bytes.begin());
      } else if (frame.from == "time") {
        now_s = std::stoll(frame.to);
      } else if (frame.from == "key") {
        keys[frame.to] = link::curve_key_of(unhex(frame.bytes));
      } else if (frame.from != "#") {
        frame.bytes = unhex(frame.bytes);
        frames.push_back(std::move(frame));
      }
    }
    for (const Frame& frame : frames) {
      const auto header = read_frame(frame.bytes, [&](const EnvelopeView& envelope) {
        messages.push_back({frame.from, frame.to, envelope});
      });
      EXPECT_TRUE(header) << frame.from << ' ' << frame.to;
    }
  }

  [[nodiscard]] std::vector<Message> of(v1::Kind kind, const std::string& from, const std::string& to) const {
    std::vector<Message> found;
    std::ranges::copy_if(messages, std::back_inserter(found), [&](const Message& each) {
      return each.envelope.header.kind == kind && each.from == from && each.to == to;
    });
    return found;
  }
  // The first request for a method, or an empty message.
  [[nodiscard]] Message request(const std::string& method, const std::string& from = "client") const {
    const auto found = std::ranges::find_if(messages, [&](const Message& each) {
      return each.envelope.header.kind == v1::REQUEST && each.envelope.header.to_name == method &&
             each.from == from;
    });
    EXPECT_NE(found, messages.end()) << method;
    return found == messages.end() ? Message{} : *found;
  }
  // All payloads of a type, in the order in which they came.
  template <class Type>
  [[nodiscard]] std::vector<Type> payloads(v1::Kind kind, const std::string& from,
                                           const std::string& to) const {
    std::vector<Type> found;
    for (const Message& each : of(kind, from, to)) {
      if (each.is<Type>()) found.push_back(each.as<Type>());
    }
    return found;
  }
  template <class Type>
  [[nodiscard]] Type first(v1::Kind kind, const std::string& from, const std::string& to) const {
    const std::vector<Type> found = payloads<Type>(kind, from, to);
    EXPECT_FALSE(found.empty()) << Type::descriptor()->full_name();
    return found.empty() ? Type() : found.front();
  }
  struct Said {
    std::string from;
    std::string to;
    v1::Hello hello;
  };
  [[nodiscard]] std::vector<Said> hellos() const {
    std::vector<Said> found;
    for (const Frame& frame : frames) {
      const auto header = read_frame_header(frame.bytes);
      if (!header || header->hello.empty()) continue;
      auto hello = link::read_hello(frame.bytes);
      EXPECT_TRUE(hello) << frame.from << ' ' << frame.to << ": " << hello.error().message();
      if (hello) found.push_back({frame.from, frame.to, std::move(*hello)});
    }
    return found;
  }

  link::ClusterKey cluster;
  std::int64_t now_s = 0;
  std::map<std::string, link::CurveKey> keys;
  std::vector<Frame> frames;
  std::vector<Message> messages;
};

class Recorded : public testing::TestWithParam<const char*> {
 protected:
  Recording said_{GetParam()};
};

TEST_P(Recorded, EveryHelloIsReadAndItsSenderIsKnown) {
  std::size_t enrolling = 0;
  std::size_t issued = 0;
  std::size_t refused = 0;
  for (const auto& [from, to, hello] : said_.hellos()) {
    SCOPED_TRACE(from + " to " + to);
    if (hello.has_refused()) {
      ++refused;
      EXPECT_EQ(link::refusal_of(hello).code(), Code::unauthenticated);
      EXPECT_NE(link::refusal_of(hello).message().find("token"), std::string::npos);
      continue;
    }
    EXPECT_TRUE(link::check_hello(hello, NodeId{1}).ok());
    EXPECT_EQ(hello.features() & limits::features, 3U);
    EXPECT_FALSE(hello.build().empty());
    if (!hello.has_certificate()) {
      ++enrolling;
      EXPECT_EQ(to, "broker");
      EXPECT_FALSE(hello.token().empty());
      if (said_.keys.contains(hello.name())) {
        EXPECT_EQ(hello.name(), from);
      }
      continue;
    }
    const auto peer =
        link::identify(hello, hello.certificate(), said_.cluster, said_.keys.at(from), said_.now_s + 60);
    ASSERT_TRUE(peer) << peer.error().message();
    EXPECT_EQ(peer->role, from == "broker"         ? v1::BROKER
                          : from == "client"       ? v1::ADMIN
                          : from == "other/client" ? v1::SUBMIT
                                                   : v1::NODE);
    EXPECT_EQ(peer->protocol, 1U);
    EXPECT_GT(peer->incarnation, static_cast<std::uint64_t>(said_.now_s) * 1'000'000);
    if (peer->role == v1::NODE) {
      EXPECT_EQ(peer->name, from);
    }
    if (!hello.has_issued()) continue;
    ++issued;
    EXPECT_TRUE(link::check_certificate(hello.issued(), said_.cluster, said_.keys.at(to), said_.now_s + 60));
    EXPECT_FALSE(
        link::check_certificate(hello.issued(), said_.cluster, said_.keys.at(from), said_.now_s + 60));
  }
  EXPECT_GE(enrolling, 3U);
  EXPECT_GE(issued, 3U);
  EXPECT_EQ(refused, 1U);
}

TEST_P(Recorded, AHelloThatResumesNamesTheSessionThatItsAnswerGoesOnWith) {
  const auto hellos = said_.hellos();
  std::size_t resumed = 0;
  for (std::size_t i = 0; i + 1 < hellos.size(); ++i) {
    const v1::Hello& asked = hellos[i].hello;
    if (asked.resume() == 0) continue;
    const auto answer = std::ranges::find_if(
        hellos.begin() + static_cast<std::ptrdiff_t>(i), hellos.end(),
        [&](const Recording::Said& each) { return each.from == hellos[i].to && each.to == hellos[i].from; });
    ASSERT_NE(answer, hellos.end());
    ++resumed;
    EXPECT_NE(asked.session(), asked.resume());
    EXPECT_EQ(answer->hello.session(), asked.resume());
    EXPECT_GT(asked.last_received(), 0U);
    EXPECT_GT(answer->hello.last_received(), 0U);
  }
  EXPECT_GE(resumed, 2U);
}

TEST_P(Recorded, HeadersAreThoseOfASession) {
  std::size_t heartbeats = 0;
  std::vector<Code> ends;
  for (const Frame& frame : said_.frames) {
    const auto header = read_frame_header(frame.bytes);
    ASSERT_TRUE(header);
    if (!header->hello.empty()) continue;
    link::Session session(header->session);
    if (header->sequence == 1) {
      EXPECT_EQ(session.receive(*header).value(), link::Session::Verdict::fresh);
    }
    if (header->sequence != 0) continue;
    if (header->sent == 0) {
      EXPECT_EQ(session.receive(*header).value(), link::Session::Verdict::beat);
    } else {
      EXPECT_EQ(session.receive(*header).error().code(), Code::data_loss);  // here nothing came before it
    }
    if (header->end.empty()) {
      ++heartbeats;
    } else {
      ends.push_back(decode_status(header->end).code());
    }
  }
  EXPECT_GE(heartbeats, 2U);
  EXPECT_EQ(ends, (std::vector{Code::unavailable, Code::cancelled}));
}

// Frame by frame the same bytes.
TEST_P(Recorded, TodaysCodeWritesTheSameBytes) {
  for (const Frame& frame : said_.frames) {
    const auto header = read_frame_header(frame.bytes);
    ASSERT_TRUE(header);
    std::string written;
    append_frame_header(written, *header);
    EnvelopeHeader before;
    ASSERT_TRUE(read_frame(frame.bytes, [&](const EnvelopeView& each) {
      const EnvelopeHeader& now = each.header;
      const bool elided = may_be_repeated(before) && before.to == now.to && before.from == now.from &&
                          before.kind == now.kind && before.type == now.type && before.call == now.call &&
                          before.flags == now.flags;
      if (elided) {
        append_repeat(written, each.payload.size(),
                      [&](std::uint8_t* out) { std::ranges::copy(each.payload, out); });
      } else {
        append_envelope(written, now, each.payload);
      }
      before = now;
    }));
    EXPECT_EQ(written, frame.bytes) << frame.from << ' ' << frame.to;
  }
}

TEST_P(Recorded, ANodeIsRegisteredWithAllThatItOffers) {
  const Message asked = said_.request("cobus.v1.Directory/Register", "alpha");
  ASSERT_TRUE(asked.is<v1::RegisterRequest>());
  EXPECT_EQ(asked.envelope.header.flags, static_cast<std::uint32_t>(v1::HIDDEN));
  const auto record = asked.as<v1::RegisterRequest>().record();
  EXPECT_EQ(record.name(), "alpha");
  EXPECT_EQ(record.state(), v1::UP);
  EXPECT_EQ(record.labels().at("zone"), "a");
  EXPECT_GT(record.load().shards(), 0U);
  EXPECT_EQ(record.load().pool_threads(), 1U);
  ASSERT_EQ(record.endpoints_size(), 1);
  EXPECT_TRUE(record.endpoints(0).starts_with("tcp://127.0.0.1:"));
  EXPECT_TRUE(
      link::check_certificate(record.certificate(), said_.cluster, said_.keys.at("alpha"), said_.now_s + 60));
  std::map<std::string, v1::MethodRecord> methods;
  for (const v1::ServiceRecord& service : record.services()) {
    EXPECT_EQ(service.schema_digest().size(), 32U) << service.name();
    for (const v1::MethodRecord& method : service.methods()) methods[method.name()] = method;
  }
  EXPECT_EQ(methods.at("text.Text/Grep").input(), "text.GrepRequest");
  EXPECT_TRUE(methods.at("text.Text/Grep").streaming());
  EXPECT_TRUE(methods.at("echo.Echo/Chat").client_streaming());
  EXPECT_EQ(methods.at("math.Primes/Count").where(), v1::POOL);
  EXPECT_EQ(methods.at("echo.Echo/Echo").output(), "echo.EchoReply");
  EXPECT_FALSE(methods.at("echo.Echo/Echo").streaming());

  broker::Directory directory;
  ASSERT_TRUE(directory.register_node(record, {"alpha", said_.keys.at("alpha")}, TimePoint{}));
}

TEST_P(Recorded, WhatABrokerSaysOfNodesIsAView) {
  const auto registered = said_.first<v1::RegisterReply>(v1::REPLY, "broker", "alpha");
  EXPECT_EQ(registered.lease_ms(), 6000U);
  EXPECT_EQ(registered.renew_ms(), 2000U);
  EXPECT_EQ(said_.request("cobus.v1.Directory/Watch", "alpha").envelope.header.credit, limits::watch_credit);

  const ManualClock clock;
  View view(clock);
  link::Revocations revocations(said_.cluster);
  std::vector<std::string> learned;
  std::vector<link::Revoked> revoked;
  for (const auto& event : said_.payloads<v1::DirectoryEvent>(v1::ITEM, "broker", "beta")) {
    for (const v1::NodeRecord& record : view.apply(NodeId{9}, event).learned)
      learned.push_back(record.name());
    for (link::Revoked& each : revocations.merge(event.revoked(), said_.now_s + 60))
      revoked.push_back(std::move(each));
  }
  EXPECT_EQ(learned, (std::vector<std::string>{"alpha", "beta"}));
  EXPECT_TRUE(view.find_name("alpha"));
  EXPECT_FALSE(view.find_name("beta"));  // it has left
  EXPECT_TRUE(view.choose("echo.Echo/Echo"));
  EXPECT_FALSE(view.choose("echo.Echo/Other"));
  ASSERT_EQ(revoked.size(), 2U);
  for (const link::Revoked& each : revoked) {
    EXPECT_EQ(each.body.reason(), "lost");
    EXPECT_TRUE(each.key == said_.keys.at("client") || each.key == said_.keys.at("other/client"));
  }
  const auto left = said_.request("cobus.v1.Directory/Leave", "beta").as<v1::LeaveRequest>();
  const auto events = said_.payloads<v1::DirectoryEvent>(v1::ITEM, "broker", "alpha");
  ASSERT_EQ(events.back().gone_size(), 1);
  EXPECT_EQ(events.back().gone(0).node(), left.node());
  EXPECT_EQ(events.back().gone(0).reason(), "left");
}

TEST_P(Recorded, ASchemaIsThatOfTheServiceWhichTheRecordNames) {
  const auto asked = said_.request("cobus.v1.Schemas/Fetch").as<v1::FetchSchemaRequest>();
  const auto given = said_.first<v1::FetchSchemaReply>(v1::REPLY, "alpha", "client");
  ASSERT_EQ(given.schemas_size(), 1);
  EXPECT_EQ(given.schemas(0).digest(), asked.digests(0));
  const auto record =
      said_.request("cobus.v1.Directory/Register", "alpha").as<v1::RegisterRequest>().record();
  EXPECT_TRUE(std::ranges::any_of(record.services(), [&](const v1::ServiceRecord& service) {
    return service.name() == "echo.Echo" && service.schema_digest() == asked.digests(0);
  }));
  SchemaPool pool;
  EXPECT_TRUE(pool.add(given.schemas(0).files()).ok());
  const auto method = pool.find_method("echo.Echo/Collect");
  ASSERT_TRUE(method);
  EXPECT_TRUE((*method)->client_streaming());
}

TEST_P(Recorded, ACallHasOneAnswerOrAnError) {
  const Message asked = said_.request("echo.Echo/Echo");
  const EnvelopeHeader& header = asked.envelope.header;
  EXPECT_EQ(asked.as<echo::EchoRequest>().text(), "hi");
  EXPECT_TRUE(asked.is<echo::EchoRequest>());
  EXPECT_EQ(header.to, 0U);
  EXPECT_NE(header.from, 0U);
  EXPECT_EQ(header.flags, static_cast<std::uint32_t>(v1::WANTS_PROGRESS));
  EXPECT_EQ(header.credit, limits::stream_credit);
  EXPECT_GT(header.time_left_us, 6'000'000U);
  EXPECT_LE(header.time_left_us, 7'000'000U);
  const Message answer = [&] {
    for (const Message& each : said_.of(v1::REPLY, "alpha", "client")) {
      if (each.is<echo::EchoReply>()) return each;
    }
    return Message{};
  }();
  EXPECT_EQ(answer.as<echo::EchoReply>().text(), "hi");
  EXPECT_EQ(answer.as<echo::EchoReply>().node(), "alpha");
  EXPECT_EQ(answer.envelope.header.to, header.from);
  EXPECT_EQ(answer.envelope.header.call, header.call);

  const auto errors = said_.of(v1::ERROR, "alpha", "client");
  ASSERT_EQ(errors.size(), 1U);
  EXPECT_EQ(decode_status(errors[0].envelope.header.status).code(), Code::invalid_argument);
  EXPECT_NE(errors[0].envelope.header.from, 0U);

  const auto cancels = said_.of(v1::CANCEL, "client", "alpha");
  ASSERT_FALSE(cancels.empty());
  EXPECT_EQ(cancels[0].envelope.header.to, 0U);
  EXPECT_NE(cancels[0].envelope.header.call, 0U);
  EXPECT_EQ(cancels[0].envelope.header.flags, 0U);
}

TEST_P(Recorded, StreamsHaveItemsCreditAndAnEnd) {
  std::vector<std::string> lines;
  for (const auto& line : said_.payloads<text::Line>(v1::ITEM, "alpha", "client"))
    lines.push_back(line.text());
  EXPECT_EQ(lines, (std::vector<std::string>{"one", "two"}));
  std::vector<std::string> echoed;
  for (const auto& reply : said_.payloads<echo::EchoReply>(v1::ITEM, "alpha", "client"))
    echoed.push_back(reply.text());
  EXPECT_EQ(echoed, (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(said_.first<echo::CollectReply>(v1::REPLY, "alpha", "client").bytes(), 3U);
  EXPECT_FALSE(said_.of(v1::END, "alpha", "client").empty());

  const EnvelopeHeader begun = said_.request("echo.Echo/Chat").envelope.header;
  EXPECT_EQ(begun.flags, static_cast<std::uint32_t>(v1::UPSTREAM));
  EXPECT_EQ(begun.type, 0U);
  const auto credits = said_.of(v1::CREDIT, "alpha", "client");
  ASSERT_FALSE(credits.empty());
  EXPECT_EQ(credits[0].envelope.header.flags, static_cast<std::uint32_t>(v1::UPSTREAM));
  EXPECT_EQ(credits[0].envelope.header.credit, limits::stream_credit);
  const auto sent = said_.of(v1::ITEM, "client", "alpha");
  ASSERT_EQ(sent.size(), 2U);
  for (const Message& each : sent) {
    EXPECT_EQ(each.envelope.header.to, credits[0].envelope.header.from);
    EXPECT_EQ(each.envelope.header.flags, static_cast<std::uint32_t>(v1::UPSTREAM));
    EXPECT_TRUE(each.is<echo::EchoRequest>());
  }
  EXPECT_EQ(said_.of(v1::END, "client", "alpha").at(0).envelope.header.to, credits[0].envelope.header.from);
  EXPECT_EQ(said_.of(v1::CREDIT, "client", "alpha").at(0).envelope.header.credit, limits::stream_credit / 2);
}

TEST_P(Recorded, TheLastFragmentOfALargeMessageSaysSo) {
  const auto fragments = said_.of(v1::PART, "client", "alpha");
  ASSERT_EQ(fragments.size(), 1U);
  const EnvelopeHeader& header = fragments[0].envelope.header;
  EXPECT_EQ(header.flags, static_cast<std::uint32_t>(v1::LAST_PART));
  EXPECT_EQ(header.credit, 9U);
  EXPECT_EQ(header.type, static_cast<std::uint64_t>(type_id_of<echo::EchoRequest>()));
  EXPECT_EQ(header.call >> 63, 1U);
}

TEST_P(Recorded, AJobIsSubmittedRunFollowedAndListed) {
  const Message submitted = said_.request("cobus.v1.Jobs/Submit");
  const auto job = submitted.as<v1::SubmitRequest>();
  EXPECT_EQ(job.method(), "math.Primes/Count");
  EXPECT_EQ(job.key(), "k1");
  EXPECT_EQ(job.labels().at("team"), "red");
  math::CountRequest range;
  ASSERT_TRUE(range.ParseFromString(job.payload()));
  EXPECT_EQ(range.to(), 30'000'000U);
  const auto accepted = said_.first<v1::SubmitReply>(v1::REPLY, "alpha", "client");
  EXPECT_EQ(accepted.id().size(), 26U);
  EXPECT_FALSE(accepted.existed());
  EXPECT_EQ(said_.request("cobus.v1.Jobs/Follow").as<v1::FollowRequest>().id(), accepted.id());

  // What its home asks of another node, and what that says of it.
  const auto given = said_.of(v1::REQUEST, "alpha", "beta");
  ASSERT_FALSE(given.empty());
  EXPECT_EQ(given[0].envelope.header.flags, static_cast<std::uint32_t>(v1::WANTS_PROGRESS));
  const auto progress = said_.first<v1::Progress>(v1::ITEM, "beta", "alpha");
  EXPECT_EQ(progress.fraction(), 1);
  EXPECT_NE(progress.note().find("primes below 30000000"), std::string::npos);
  EXPECT_EQ(said_.first<math::CountReply>(v1::REPLY, "beta", "alpha").count(), 1'857'859U);

  const auto events = said_.payloads<v1::JobEvent>(v1::ITEM, "alpha", "client");
  ASSERT_FALSE(events.empty());
  const v1::Job& over = events.back().job();
  EXPECT_EQ(over.id(), accepted.id());
  EXPECT_EQ(over.state(), v1::SUCCEEDED);
  EXPECT_EQ(over.home(), "alpha");
  EXPECT_EQ(over.attempt(), 1U);
  EXPECT_LE(over.submitted_us(), over.started_us());
  EXPECT_LE(over.started_us(), over.finished_us());
  math::CountReply count;
  EXPECT_TRUE(count.ParseFromString(over.result()));
  EXPECT_EQ(count.count(), 1'857'859U);
  const auto listed = said_.payloads<v1::Job>(v1::ITEM, "alpha", "client");
  EXPECT_EQ(listed.size(), 5U);
  EXPECT_TRUE(
      std::ranges::any_of(listed, [&](const v1::Job& each) { return each.labels().contains("team"); }));
}

TEST_P(Recorded, ATapAndALookInsideAreUnderstood) {
  EXPECT_TRUE(said_.request("cobus.v1.Observe/Tap").as<v1::TapRequest>().body());
  const auto batches = said_.payloads<v1::TapBatch>(v1::ITEM, "alpha", "client");
  // A tap that sees nothing yet says so with an empty batch.
  const auto batch = std::ranges::find_if(batches, [](const auto& each) { return each.records_size() > 0; });
  ASSERT_NE(batch, batches.end());
  const v1::TapRecord& record = batch->records(0);
  EXPECT_EQ(record.kind(), v1::REQUEST);
  EXPECT_EQ(record.method(), "cobus.v1.Jobs/Get");
  EXPECT_EQ(record.type(), "cobus.v1.GetJobRequest");
  EXPECT_EQ(record.at(), "alpha");
  EXPECT_EQ(record.size(), record.body().size());
  EXPECT_EQ(said_.request("cobus.v1.Inspect/Top").as<v1::TopRequest>().window_us(), 1'000'000U);
  EXPECT_GT(said_.first<v1::HealthReply>(v1::REPLY, "alpha", "client").certificate_until(), said_.now_s);
}

TEST_P(Recorded, AnAdministratorsCallsAreUnderstood) {
  EXPECT_EQ(said_.request("cobus.v1.Admin/CreateToken").as<v1::CreateTokenRequest>().role(), v1::SUBMIT);
  const auto made = said_.first<v1::CreateTokenReply>(v1::REPLY, "broker", "client");
  EXPECT_FALSE(made.secret().empty());
  EXPECT_EQ(made.token().expires() - made.token().created(), 3600);
  const auto issued = said_.payloads<v1::IssuedCertificate>(v1::ITEM, "broker", "client");
  ASSERT_EQ(issued.size(), 4U);
  EXPECT_EQ(link::curve_key_of(issued[0].curve_key()), said_.keys.at(issued[0].name()));
  EXPECT_EQ(said_.request("cobus.v1.Admin/Revoke").as<v1::RevokeRequest>().reason(), "lost");
  const auto shared = said_.request("cobus.v1.Directory/Share").as<v1::ShareRequest>();
  ASSERT_EQ(shared.revoked_size(), 2);
  for (const v1::Revocation& each : shared.revoked())
    EXPECT_TRUE(link::check_revocation(each, said_.cluster));
}

// The bytes of a block of dialogues.md: its frame, cut where it leaves something out ("...").
std::vector<std::string> bytes_of(std::istream& page, std::string& line) {
  std::vector<std::string> runs(1);
  while (std::getline(page, line) && !line.empty() && line != "```" &&
         line.find(" -> ") == std::string::npos) {
    const std::string left = line.substr(0, line.find("  "));
    if (left == "...") {
      runs.emplace_back();
      continue;
    }
    std::istringstream words(left);
    for (std::string byte; words >> byte;) runs.back() += unhex(byte);
  }
  return runs;
}

TEST(Dialogues, AreFramesThatWereRecorded) {
  const Recording said("f637f19");
  std::ifstream page(COBUS_DIALOGUES);
  std::size_t blocks = 0;
  std::string line;
  while (std::getline(page, line)) {
    const auto arrow = line.find(" -> ");
    if (arrow == std::string::npos) continue;
    const std::string from = line.substr(0, arrow);
    const std::string to = line.substr(arrow + 4);
    const std::vector<std::string> runs = bytes_of(page, line);
    ++blocks;
    EXPECT_TRUE(std::ranges::any_of(said.frames,
                                    [&](const Frame& frame) {
                                      return frame.from == from && frame.to == to &&
                                             frame.bytes.starts_with(runs.front()) &&
                                             frame.bytes.ends_with(runs.back()) &&
                                             (runs.size() > 1 || frame.bytes == runs.front());
                                    }))
        << "block " << blocks << " of dialogues.md, from " << from << " to " << to;
  }
  EXPECT_EQ(blocks, 9U);
}

INSTANTIATE_TEST_SUITE_P(Releases, Recorded, testing::Values("f637f19"),
                         [](const auto& info) { return std::string("of_") + info.param; });

}  // namespace
}  // namespace cobus
