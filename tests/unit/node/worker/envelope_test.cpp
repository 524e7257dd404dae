// SPDX-License-Identifier: Apache-2.0
//
// Envelopes from other nodes: where their bytes lie, and that these live as long as they do.
#include "node/worker/envelope.hpp"

#include <gtest/gtest.h>

#include "node/link/frame_in.hpp"
#include "tests/support/echo_messages.hpp"

namespace cobus {
namespace {

using echo::EchoRequest;

// As it comes: a frame and what lies in it.
class FromWire : public ::testing::Test {
 protected:
  EnvelopePtr receive(std::size_t payload, std::size_t others = 0, const char* text = "x") {
    frame_ = std::make_shared<const std::string>(std::string(payload, *text) + std::string(others, 'o'));
    EnvelopeView view;
    view.header.kind = v1::MESSAGE;
    view.header.type = 7;
    view.payload = std::string_view(*frame_).substr(0, payload);
    const link::FrameIn frame(frame_);
    return from_wire(view, NodeId{1}, never, &frame);
  }
  [[nodiscard]] bool is_shared() const { return frame_.use_count() > 1; }
  std::shared_ptr<const std::string> frame_;
};

TEST_F(FromWire, ALargePayloadIsAShareOfItsFrame) {
  EnvelopePtr envelope = receive(60'000, 100);
  EXPECT_TRUE(is_shared());
  EXPECT_EQ(envelope->encoded().data(), frame_->data());
  frame_.reset();
  EXPECT_EQ(envelope->encoded(), std::string(60'000, 'x'));
  EXPECT_EQ(envelope->payload_size(), 60'000U);
  envelope->drop_payload();
  EXPECT_EQ(envelope->payload_size(), 0U);
}

TEST_F(FromWire, DroppingThePayloadLetsGoOfTheFrame) {
  const EnvelopePtr envelope = receive(60'000);
  envelope->drop_payload();
  EXPECT_FALSE(is_shared());
}

TEST_F(FromWire, M5_NoEnvelopeKeepsMoreOfAFrameThanTwiceItsPayload) {
  const EnvelopePtr envelope = receive(20'000, 20'001);
  EXPECT_FALSE(is_shared());
  EXPECT_EQ(envelope->encoded(), std::string(20'000, 'x'));
}

TEST_F(FromWire, SmallPayloadsOfAllSizesAreCopiedWhole) {
  for (const std::size_t bytes : {0, 1, 7, 8, 100, 1023, 1024, 1025, 2048, 4095}) {
    const EnvelopePtr envelope = receive(bytes);
    EXPECT_FALSE(is_shared()) << bytes;
    frame_.reset();
    EXPECT_EQ(envelope->encoded(), std::string(bytes, 'x'));
    std::string written(bytes, '?');
    envelope->write_payload(reinterpret_cast<std::uint8_t*>(written.data()));
    EXPECT_EQ(written, std::string(bytes, 'x'));
  }
}

TEST_F(FromWire, WithoutAFrameItIsACopy) {
  const std::string bytes(60'000, 'x');
  EnvelopeView view;
  view.header.kind = v1::MESSAGE;
  view.payload = bytes;
  const EnvelopePtr envelope = from_wire(view, NodeId{1}, never);
  EXPECT_NE(envelope->encoded().data(), bytes.data());
  EXPECT_EQ(envelope->encoded(), bytes);
}

TEST(BorrowedEnvelope, IsWrittenAsTheTypedOneOfTheSameMessage) {
  const EchoRequest message = say("hello");
  const BorrowedEnvelope<EchoRequest> borrowed(message);
  const TypedEnvelope<EchoRequest> typed(message);
  ASSERT_EQ(borrowed.payload_size(), typed.payload_size());
  EXPECT_EQ(borrowed.type, typed.type);
  std::string one(borrowed.payload_size(), '?');
  std::string other = one;
  borrowed.write_payload(reinterpret_cast<std::uint8_t*>(one.data()));
  typed.write_payload(reinterpret_cast<std::uint8_t*>(other.data()));
  EXPECT_EQ(one, other);
  EXPECT_EQ(one, message.SerializeAsString());
}

TEST(WrittenEnvelope, IsForMessagesThatGoInPartsAndForNoOthers) {
  const auto fits = [](std::size_t size, WorkerId to = WorkerId{7}) {
    const EchoRequest message = say(std::string(size, 'x'));
    BorrowedEnvelope<EchoRequest> borrowed(message);
    borrowed.to = to;
    return WrittenEnvelope::of(borrowed) != nullptr;
  };
  EXPECT_FALSE(fits(100));
  EXPECT_FALSE(fits(limits::payload_bytes_max - 100));
  EXPECT_TRUE(fits(limits::payload_bytes_max));
  EXPECT_FALSE(fits(limits::payload_bytes_max, WorkerId{}));
  EXPECT_TRUE(fits(limits::message_bytes_max - 100));
  EXPECT_FALSE(fits(limits::message_bytes_max));
}

TEST(WrittenEnvelope, HoldsWhatWouldBeWrittenAndGivesItAwayOnce) {
  const EchoRequest message = say(std::string(limits::payload_bytes_max, 'x'));
  BorrowedEnvelope<EchoRequest> borrowed(message);
  borrowed.from = Address{NodeId{1}, WorkerId{5}};
  borrowed.to = WorkerId{7};
  const EnvelopePtr written = WrittenEnvelope::of(borrowed);
  ASSERT_NE(written, nullptr);
  EXPECT_EQ(written->from, borrowed.from);
  EXPECT_EQ(written->to, borrowed.to);
  EXPECT_EQ(written->type, type_id_of<EchoRequest>());
  EXPECT_EQ(written->type_name(), EchoRequest::descriptor()->full_name());
  ASSERT_EQ(written->payload_size(), message.ByteSizeLong());
  std::string payload(written->payload_size(), '\0');
  written->write_payload(reinterpret_cast<std::uint8_t*>(payload.data()));
  EXPECT_TRUE(payload == message.SerializeAsString());
  const LargeBytes given = written->take_written();
  EXPECT_TRUE(given.view() == write_whole(borrowed, borrowed.payload_size(), never).view());
  EXPECT_EQ(written->take_written().size(), 0U);
  EXPECT_EQ(borrowed.take_written().size(), 0U);
}

}  // namespace
}  // namespace cobus
