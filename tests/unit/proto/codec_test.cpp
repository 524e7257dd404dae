// SPDX-License-Identifier: Apache-2.0
#include "proto/codec.hpp"

#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>
#include <gtest/gtest.h>

#include <array>
#include <cstring>
#include <limits>
#include <random>
#include <stdexcept>
#include <string>
#include <vector>

namespace cobus {
namespace {

using namespace std::string_literals;
using Seed = std::mt19937_64;

// As the generated code writes it, map entries ordered by key.
std::string serialised(const google::protobuf::Message& message) {
  std::string bytes;
  google::protobuf::io::StringOutputStream stream(&bytes);
  google::protobuf::io::CodedOutputStream coded(&stream);
  coded.SetSerializationDeterministic(true);
  message.SerializeToCodedStream(&coded);
  coded.Trim();
  return bytes;
}

// Zero half the time, else of any width.
std::uint64_t any_number(Seed& seed) { return seed() % 2 == 0 ? 0 : seed() >> (seed() % 64); }

std::string any_text(Seed& seed, std::size_t size_max) {
  std::string text(seed() % 2 == 0 ? 0 : seed() % (size_max + 1), ' ');
  for (char& c : text) c = static_cast<char>('a' + seed() % 26);
  return text;
}

v1::Envelope any_envelope(Seed& seed) {
  v1::Envelope envelope;
  envelope.set_to(any_number(seed));
  envelope.set_from(any_number(seed));
  envelope.set_kind(static_cast<v1::Kind>(static_cast<std::int32_t>(any_number(seed))));
  envelope.set_type(any_number(seed));
  envelope.set_payload(any_text(seed, seed() % 10 == 0 ? 40'000 : 300));
  envelope.set_call(any_number(seed));
  envelope.set_time_left_us(any_number(seed));
  envelope.set_to_name(any_text(seed, 200));
  envelope.set_credit(static_cast<std::uint32_t>(any_number(seed)));
  envelope.set_flags(static_cast<std::uint32_t>(any_number(seed)));
  if (const std::uint64_t high = any_number(seed); high != 0) {
    envelope.mutable_trace()->set_trace_high(high);
    envelope.mutable_trace()->set_trace_low(any_number(seed));
    envelope.mutable_trace()->set_span(any_number(seed));
    envelope.mutable_trace()->set_flags(static_cast<std::uint32_t>(any_number(seed)));
  }
  if (const std::string message = any_text(seed, 100); !message.empty()) {
    envelope.mutable_status()->set_code(static_cast<std::int32_t>(any_number(seed)));
    envelope.mutable_status()->set_message(message);
  }
  for (std::uint64_t i = seed() % 4; i > 1; --i)
    (*envelope.mutable_headers())[any_text(seed, 20)] = any_text(seed, 20);
  return envelope;
}

v1::Frame any_frame(Seed& seed) {
  v1::Frame frame;
  frame.set_session(any_number(seed));
  frame.set_sequence(any_number(seed));
  frame.set_acknowledged(any_number(seed));
  if (const std::string name = any_text(seed, 50); !name.empty()) frame.mutable_hello()->set_name(name);
  for (std::uint64_t i = seed() % 5; i > 0; --i) *frame.add_envelopes() = any_envelope(seed);
  if (frame.envelopes().empty()) frame.set_sent(any_number(seed));
  return frame;
}

// The header of `envelope`; the serialised parts are kept in `status` and `headers`.
EnvelopeHeader header_of(const v1::Envelope& envelope, std::string& status, std::string& headers) {
  v1::Envelope only_headers;
  *only_headers.mutable_headers() = envelope.headers();
  headers = serialised(only_headers);
  status = serialised(envelope.status());
  return EnvelopeHeader{.to = envelope.to(),
                        .from = envelope.from(),
                        .kind = envelope.kind(),
                        .type = envelope.type(),
                        .call = envelope.call(),
                        .time_left_us = envelope.time_left_us(),
                        .to_name = envelope.to_name(),
                        .credit = envelope.credit(),
                        .flags = envelope.flags(),
                        .trace_high = envelope.trace().trace_high(),
                        .trace_low = envelope.trace().trace_low(),
                        .trace_span = envelope.trace().span(),
                        .trace_flags = envelope.trace().flags(),
                        .status = status,
                        .headers = headers};
}

std::string encoded(const v1::Frame& frame) {
  std::string bytes;
  const std::string hello = frame.has_hello() ? serialised(frame.hello()) : "";
  append_frame_header(bytes, FrameHeader{.session = frame.session(),
                                         .sequence = frame.sequence(),
                                         .acknowledged = frame.acknowledged(),
                                         .hello = hello,
                                         .sent = frame.sent()});
  std::string status;
  std::string headers;
  for (const v1::Envelope& envelope : frame.envelopes()) {
    append_envelope(bytes, header_of(envelope, status, headers), envelope.payload());
  }
  return bytes;
}

v1::Envelope message_of(const EnvelopeView& view) {
  const EnvelopeHeader& header = view.header;
  v1::Envelope envelope;
  EXPECT_TRUE(envelope.ParseFromArray(header.headers.data(), static_cast<int>(header.headers.size())));
  envelope.set_to(header.to);
  envelope.set_from(header.from);
  envelope.set_kind(header.kind);
  envelope.set_type(header.type);
  envelope.set_payload(std::string(view.payload));
  envelope.set_call(header.call);
  envelope.set_time_left_us(header.time_left_us);
  envelope.set_to_name(std::string(header.to_name));
  envelope.set_credit(header.credit);
  envelope.set_flags(header.flags);
  if ((header.trace_high | header.trace_low | header.trace_span | header.trace_flags) != 0) {
    envelope.mutable_trace()->set_trace_high(header.trace_high);
    envelope.mutable_trace()->set_trace_low(header.trace_low);
    envelope.mutable_trace()->set_span(header.trace_span);
    envelope.mutable_trace()->set_flags(header.trace_flags);
  }
  if (!header.status.empty()) {
    EXPECT_TRUE(envelope.mutable_status()->ParseFromArray(header.status.data(),
                                                          static_cast<int>(header.status.size())));
  }
  return envelope;
}

v1::Frame decoded(std::string_view bytes) {
  v1::Frame frame;
  const Result<FrameHeader> header =
      read_frame(bytes, [&](const EnvelopeView& view) { *frame.add_envelopes() = message_of(view); });
  EXPECT_TRUE(header.has_value()) << header.error().to_string();
  if (!header) return frame;
  frame.set_session(header->session);
  frame.set_sequence(header->sequence);
  frame.set_acknowledged(header->acknowledged);
  frame.set_sent(header->sent);
  if (!header->hello.empty()) {
    EXPECT_TRUE(
        frame.mutable_hello()->ParseFromArray(header->hello.data(), static_cast<int>(header->hello.size())));
  }
  return frame;
}

// Touches every byte that a reader is given, so that a sanitizer sees a view that is out of bounds.
std::size_t read_everything(std::string_view bytes) {
  std::size_t sum = 0;
  const auto touch = [&sum](std::string_view view) {
    for (const char c : view) sum += static_cast<unsigned char>(c);
  };
  const Result<FrameHeader> header = read_frame(bytes, [&](const EnvelopeView& view) {
    for (const auto part : {view.payload, view.header.to_name, view.header.status, view.header.headers})
      touch(part);
  });
  if (header) {
    touch(header->hello);
    EXPECT_TRUE(read_frame_header(bytes).has_value());
  } else {
    EXPECT_EQ(header.error().code(), Code::invalid_argument);
  }
  return sum;
}

// In a buffer of exactly its size on the heap, so that one byte too far is seen.
void read_on_heap(const std::string& bytes) {
  const std::vector<char> exact(bytes.begin(), bytes.end());
  read_everything(std::string_view(exact.data(), exact.size()));
}

bool is_malformed(const std::string& bytes) {
  return !read_frame(bytes, [](const EnvelopeView&) {}).has_value();
}

EnvelopeView only_envelope(const std::string& bytes) {
  EnvelopeView result;
  int count = 0;
  const Result<FrameHeader> header = read_frame(bytes, [&](const EnvelopeView& view) {
    result = view;
    ++count;
  });
  EXPECT_TRUE(header.has_value());
  EXPECT_EQ(count, 1);
  return result;
}

TEST(Codec, WritesTheBytesThatGeneratedCodeWrites) {
  Seed seed(1);
  for (int i = 0; i < 2000; ++i) {
    const v1::Frame frame = any_frame(seed);
    ASSERT_EQ(encoded(frame), serialised(frame)) << "frame " << i << ": " << frame.ShortDebugString();
  }
}

TEST(Codec, ReadsWhatGeneratedCodeWrites) {
  Seed seed(2);
  for (int i = 0; i < 2000; ++i) {
    const v1::Frame frame = any_frame(seed);
    const std::string bytes = serialised(frame);
    ASSERT_EQ(serialised(decoded(bytes)), bytes) << "frame " << i << ": " << frame.ShortDebugString();
  }
}

TEST(Codec, PredictsTheSizeOfAnEnvelope) {
  Seed seed(3);
  for (int i = 0; i < 500; ++i) {
    const v1::Envelope envelope = any_envelope(seed);
    std::string status;
    std::string headers;
    const EnvelopeHeader header = header_of(envelope, status, headers);
    std::string bytes = "before";
    append_envelope(bytes, header, envelope.payload());
    ASSERT_EQ(envelope_size(header, envelope.payload().size()), bytes.size() - 6);
  }
}

TEST(Codec, CostsAPlainMessageAtMost64Bytes) {
  const auto large = std::numeric_limits<std::uint64_t>::max();
  const EnvelopeHeader header{
      .to = large, .from = large, .kind = v1::REQUEST, .type = large, .call = 1u << 31};
  EXPECT_LE(envelope_size(header, 100'000) - 100'000, 64U);
}

TEST(Codec, KeepsAnEmptyEnvelope) {
  std::string bytes;
  append_envelope(bytes, EnvelopeHeader{}, "");
  EXPECT_EQ(bytes, "\x2a\0"s);
  EXPECT_EQ(only_envelope(bytes).header.kind, v1::KIND_UNSPECIFIED);
}

TEST(Codec, LetsTheCallerWriteThePayloadInPlace) {
  std::string bytes;
  append_envelope(bytes, EnvelopeHeader{.to = 7, .call = 9}, 5,
                  [](std::uint8_t* out) { std::memcpy(out, "hello", 5); });
  std::string same;
  append_envelope(same, EnvelopeHeader{.to = 7, .call = 9}, "hello");
  EXPECT_EQ(bytes, same);
}

TEST(Codec, WritesTheSameEnvelopeIntoMemoryOfItsSize) {
  const EnvelopeHeader header{.to = 7, .call = 9, .to_name = "somebody"};
  std::string bytes(envelope_size(header, 5), '\0');
  std::uint8_t* const payload = write_envelope_around(bytes.data(), header, 5);
  std::memcpy(payload, "hello", 5);
  std::string same;
  append_envelope(same, header, "hello");
  EXPECT_EQ(bytes, same);
}

TEST(Codec, LeavesTheFrameAsItWasWhenThePayloadThrows) {
  std::string bytes = "before";
  EXPECT_THROW(append_envelope(bytes, EnvelopeHeader{.to = 7}, 5,
                               [](std::uint8_t*) { throw std::runtime_error("no payload"); }),
               std::runtime_error);
  EXPECT_EQ(bytes, "before");
}

std::vector<std::string> kinds_and_payloads(const std::string& bytes) {
  std::vector<std::string> all;
  EXPECT_TRUE(read_frame(bytes, [&](const EnvelopeView& view) {
                all.push_back(v1::Kind_Name(view.header.kind) + ' ' + std::to_string(view.header.to) + ' ' +
                              std::string(view.payload));
              }).has_value());
  return all;
}

void repeat(std::string& bytes, std::string_view payload) {
  append_repeat(bytes, payload.size(),
                [&](std::uint8_t* out) { std::memcpy(out, payload.data(), payload.size()); });
}

TEST(Codec, AnEnvelopeThatIsOnlyAPayloadHasTheHeaderOfTheOneBefore) {
  std::string bytes;
  append_envelope(bytes, {.to = 1, .kind = v1::MESSAGE}, "a");
  repeat(bytes, "bc");
  repeat(bytes, "");
  append_envelope(bytes, {.to = 2, .kind = v1::ITEM, .call = 5}, "d");
  append_frame_header(bytes, {.session = 1});  // which may stand anywhere
  repeat(bytes, std::string(200, 'e'));
  EXPECT_EQ(kinds_and_payloads(bytes),
            (std::vector<std::string>{"MESSAGE 1 a", "MESSAGE 1 bc", "MESSAGE 1 ", "ITEM 2 d",
                                      "ITEM 2 " + std::string(200, 'e')}));
}

TEST(Codec, ARepeatIsWhatOtherEncodersMakeOfAPayload) {
  v1::Frame frame;
  frame.add_envelopes()->set_payload("one");
  std::string bytes;
  repeat(bytes, "one");
  EXPECT_EQ(bytes, serialised(frame));
}

TEST(Codec, NothingIsRepeatedOfTheFrameBeforeOrOfOtherKinds) {
  std::string first;
  append_envelope(first, {.to = 1, .kind = v1::MESSAGE}, "a");
  std::string bytes;
  repeat(bytes, "b");
  EXPECT_EQ(kinds_and_payloads(first), (std::vector<std::string>{"MESSAGE 1 a"}));
  EXPECT_EQ(kinds_and_payloads(bytes), (std::vector<std::string>{"KIND_UNSPECIFIED 0 b"}));
  for (const v1::Kind kind : {v1::MONITOR, v1::REQUEST, v1::CREDIT, v1::PART}) {
    std::string other;
    append_envelope(other, {.to = 1, .kind = kind}, "a");
    repeat(other, "b");
    EXPECT_EQ(kinds_and_payloads(other).back(), "KIND_UNSPECIFIED 0 b") << v1::Kind_Name(kind);
  }
}

// Two bytes would else stand for as much as a frame holds, a hundred thousand times.
TEST(Codec, NoHeaderIsRepeatedThatSaysMoreThanTheLeast) {
  const std::string name(1000, 'n');
  const std::string entry = "\x82\x01\x00"s;
  for (const EnvelopeHeader& header :
       {EnvelopeHeader{.to_name = name}, EnvelopeHeader{.status = name}, EnvelopeHeader{.time_left_us = 1},
        EnvelopeHeader{.credit = 1}, EnvelopeHeader{.trace_low = 1}, EnvelopeHeader{.trace_flags = 1},
        EnvelopeHeader{.headers = entry}}) {
    EnvelopeHeader first = header;
    first.kind = v1::ITEM;
    EXPECT_FALSE(may_be_repeated(first));
    std::string bytes;
    append_envelope(bytes, first, "a");
    repeat(bytes, "b");
    EXPECT_EQ(kinds_and_payloads(bytes).back(), "KIND_UNSPECIFIED 0 b");
  }
}

TEST(Codec, WhatSaysMoreThanAPayloadRepeatsNothing) {
  for (const EnvelopeHeader& header :
       {EnvelopeHeader{.to = 2}, EnvelopeHeader{.call = 1}, EnvelopeHeader{.flags = 1}}) {
    std::string bytes;
    append_envelope(bytes, {.to = 1, .kind = v1::MESSAGE}, "a");
    append_envelope(bytes, header, "b");
    EXPECT_EQ(kinds_and_payloads(bytes).back(), "KIND_UNSPECIFIED " + std::to_string(header.to) + " b");
  }
  std::string unknown;
  append_envelope(unknown, {.to = 1, .kind = v1::MESSAGE}, "a");
  unknown +=
      "\x2a\x05\x2a\x01"
      "b\x70\x01"s;  // a field that nobody knows yet behind the payload
  EXPECT_EQ(kinds_and_payloads(unknown).back(), "KIND_UNSPECIFIED 0 b");
}

TEST(Codec, LeavesTheFrameAsItWasWhenThePayloadOfARepeatThrows) {
  std::string bytes = "before";
  EXPECT_THROW(append_repeat(bytes, 5, [](std::uint8_t*) { throw std::runtime_error("no payload"); }),
               std::runtime_error);
  EXPECT_EQ(bytes, "before");
}

TEST(Codec, NeverReadsBeyondATruncatedFrame) {
  Seed seed(4);
  for (int i = 0; i < 20; ++i) {
    const std::string bytes = serialised(any_frame(seed)).substr(0, 3000);
    for (std::size_t size = 0; size <= bytes.size(); ++size) read_on_heap(bytes.substr(0, size));
  }
}

TEST(Codec, SurvivesTenThousandMutations) {
  Seed seed(5);
  for (int i = 0; i < 10'000; ++i) {
    std::string bytes = serialised(any_frame(seed)).substr(0, 2000);
    if (bytes.empty()) continue;
    for (std::uint64_t changes = 1 + seed() % 8; changes > 0; --changes) {
      bytes[seed() % bytes.size()] = static_cast<char>(seed());
    }
    read_on_heap(bytes);
  }
}

TEST(Codec, SurvivesRandomBytes) {
  Seed seed(6);
  for (int i = 0; i < 10'000; ++i) {
    std::string bytes(seed() % 64, ' ');
    for (char& c : bytes) c = static_cast<char>(seed());
    read_on_heap(bytes);
  }
}

TEST(Codec, SaysWhereAFrameIsMalformed) {
  std::string bytes;
  append_frame_header(bytes, FrameHeader{.session = 1});
  append_envelope(bytes, EnvelopeHeader{.to = 1}, "payload");
  bytes.pop_back();
  const Result<FrameHeader> header = read_frame(bytes, [](const EnvelopeView&) {});
  ASSERT_FALSE(header.has_value());
  EXPECT_EQ(header.error().to_string(),
            "INVALID_ARGUMENT: malformed frame: the field is cut short or malformed at byte 9 of 28");
}

TEST(Codec, HandsOutEnvelopesBeforeTheMalformedPlace) {
  std::string bytes;
  append_envelope(bytes, EnvelopeHeader{.to = 1}, "first");
  append_envelope(bytes, EnvelopeHeader{.to = 2}, "second");
  bytes.pop_back();
  int seen = 0;
  EXPECT_FALSE(read_frame(bytes, [&](const EnvelopeView&) { ++seen; }).has_value());
  EXPECT_EQ(seen, 1);
}

TEST(Codec, SkipsFieldsThatItDoesNotKnow) {
  std::string bytes;
  append_envelope(bytes, EnvelopeHeader{.to = 7}, "payload");
  const std::string unknown =
      "\xf8\x06\x96\x01"s  // field 111: varint
      "\xf9\x06"
      "12345678"s  // fixed64
      "\xfa\x06\x03"
      "abc"s  // bytes
      "\xfd\x06"
      "1234"s;  // fixed32
  bytes[1] = static_cast<char>(bytes[1] + static_cast<char>(unknown.size()));
  bytes += unknown + unknown;
  const EnvelopeView view = only_envelope(bytes);
  EXPECT_EQ(view.header.to, 7U);
  EXPECT_EQ(view.payload, "payload");
}

TEST(Codec, SkipsAKnownFieldOfAnotherWireType) {
  EXPECT_EQ(only_envelope("\x2a\x02\x08\x05"s).header.to, 0U);  // `to` as a varint
}

TEST(Codec, TakesTheLastOfARepeatedField) {
  EXPECT_EQ(only_envelope("\x2a\x04\x30\x05\x30\x06"s).header.call, 6U);
}

TEST(Codec, MergesARepeatedTrace) {
  const std::string trace_flags = "\x5a\x02\x20\x01"s;
  const std::string high =
      "\x5a\x09\x09"
      "\x01\0\0\0\0\0\0\0"s;
  const std::string bytes = "\x2a\x0f"s + trace_flags + high;
  const EnvelopeView view = only_envelope(bytes);
  EXPECT_EQ(view.header.trace_flags, 1U);
  EXPECT_EQ(view.header.trace_high, 1U);
}

TEST(Codec, RefusesGroupsAndReservedWireTypes) {
  EXPECT_TRUE(is_malformed("\x33\x34"s));
  EXPECT_TRUE(is_malformed("\x2a\x02\x33\x34"s));
  EXPECT_TRUE(is_malformed("\x36"s));
  EXPECT_TRUE(is_malformed("\x37"s));
}

TEST(Codec, RefusesFieldZeroAndEndlessVarints) {
  EXPECT_TRUE(is_malformed("\x02\x00"s));
  EXPECT_TRUE(is_malformed("\x10" + std::string(11, '\xff')));
  EXPECT_TRUE(is_malformed(std::string(5, '\xff') + "\x01"));
}

TEST(Codec, RefusesALengthThatWrapsAround) {
  EXPECT_TRUE(is_malformed("\x2a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"s));
}

TEST(Codec, PassesMapEntriesOnAsTheyAre) {
  v1::Envelope envelope;
  (*envelope.mutable_headers())["a"] = "1";
  (*envelope.mutable_headers())["b"] = "2";
  const std::string entries = serialised(envelope);
  std::string bytes;
  append_envelope(bytes, EnvelopeHeader{.headers = entries}, "payload");
  EXPECT_EQ(only_envelope(bytes).header.headers, entries);
}

TEST(Codec, KeepsTheFirstRunOfStrewnMapEntries) {
  const std::string entry =
      "\x82\x01\x03\x0a\x01"
      "a"s;
  const std::string call = "\x30\x05"s;
  const std::string bytes = "\x2a\x14"s + entry + entry + call + entry;
  EXPECT_EQ(only_envelope(bytes).header.headers, entry + entry);
  EXPECT_EQ(only_envelope(bytes).header.call, 5U);
}

TEST(Codec, ReadsTheHeaderWithoutTheEnvelopes) {
  std::string bytes;
  append_frame_header(bytes, FrameHeader{.session = 1, .sequence = 300, .acknowledged = 5, .hello = "hi"});
  bytes += "\x2a\x01\xff"s;  // a malformed envelope
  const Result<FrameHeader> header = read_frame_header(bytes);
  ASSERT_TRUE(header.has_value());
  EXPECT_EQ(header->session, 1U);
  EXPECT_EQ(header->sequence, 300U);
  EXPECT_EQ(header->acknowledged, 5U);
  EXPECT_EQ(header->hello, "hi");
}

TEST(StatusCodec, BringsAStatusBack) {
  Status status(Code::not_found, "no service named x.Y");
  status.with("method", "x.Y/Z").with("hint", "cobus services");
  EXPECT_EQ(decode_status(encode_status(status)), status);
}

TEST(StatusCodec, WritesOkAsNothing) {
  EXPECT_EQ(encode_status(Status()), "");
  EXPECT_TRUE(decode_status("").ok());
}

TEST(StatusCodec, RepairsTextThatIsNotUtf8) {
  EXPECT_EQ(decode_status(encode_status(Status(Code::internal, "caf\xe9"))).message(), "caf\xef\xbf\xbd");
}

TEST(StatusCodec, ReadsUnknownCodesAsUnknown) {
  v1::Status status;
  status.set_code(999);
  EXPECT_EQ(from_proto(status).code(), Code::unknown);
  status.set_code(-1);
  EXPECT_EQ(from_proto(status).code(), Code::unknown);
}

TEST(StatusCodec, SaysInternalForMalformedBytes) {
  EXPECT_EQ(decode_status("\xff\xff").code(), Code::internal);
}

}  // namespace
}  // namespace cobus
