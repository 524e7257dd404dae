// SPDX-License-Identifier: Apache-2.0
#include "node/observe/tap.hpp"

#include <string>
#include <vector>

#include "proto/limits.hpp"
#include "tests/support/test_node.hpp"

namespace cobus {
namespace {

Task<> watch(Self /*self*/, Tap* tap, v1::TapRequest request, std::vector<v1::TapBatch>* into) {
  Tap::Watcher watcher(*tap, std::move(request));
  while (auto batch = co_await watcher.next()) into->push_back(std::move(*batch));
}

class TapTest : public TestNode {
 protected:
  ~TapTest() override {
    node_->home(0).end_all();
  }  // those who watch go before the tap, and it before its node
  void start() {
    v1::TapRequest request;
    request.set_rate_max(1'000'000);
    request.set_body(true);
    spawn(&watch, &tap_, std::move(request), &batches_);
  }
  void see(std::string_view to_name, std::size_t body_bytes = 0, const Status& status = {}) {
    const std::function<std::string()> body = [body_bytes] { return std::string(body_bytes, 'x'); };
    tap_.saw({v1::REQUEST, Address{NodeId{7}, WorkerId{1}}, Address{NodeId{8}, WorkerId{}}, to_name,
              TypeId::none, ++call_, body_bytes, TraceContext{}, &status, false, body});
  }

  Tap tap_{*node_, [](NodeId node) { return to_string(node); }, [](TypeId) { return std::string("type"); }};
  std::vector<v1::TapBatch> batches_;
  std::uint64_t call_ = 0;
};

TEST_F(TapTest, WhatIsNotUtf8IsRepairedSoThatTheBatchCanBeRead) {
  start();
  see("\xff\xfe/x", 1, Status(Code::internal, "caf\xe9"));
  step();
  ASSERT_EQ(batches_.size(), 1U);
  v1::TapBatch read;
  ASSERT_TRUE(read.ParseFromString(batches_[0].SerializeAsString()));
  EXPECT_EQ(read.records(0).method(), "\xef\xbf\xbd\xef\xbf\xbd/x");
  EXPECT_EQ(read.records(0).message(), "caf\xef\xbf\xbd");
}

TEST_F(TapTest, AnEndlessNameIsCut) {
  start();
  see(std::string(900'000, 'z'));
  step();
  EXPECT_LE(batches_.at(0).records(0).method().size(), 2 * limits::name_bytes_max + 1);
}

TEST_F(TapTest, ABodyThatIsTooLargeIsLeftOutAndItsSizeStillSaid) {
  start();
  see("a.A/B", 64 * 1024 + 1);
  see("a.A/B", 64 * 1024);
  step();
  ASSERT_EQ(batches_.at(0).records_size(), 2);
  EXPECT_EQ(batches_[0].records(0).body().size(), 0U);
  EXPECT_EQ(batches_[0].records(0).size(), 64 * 1024 + 1U);
  EXPECT_EQ(batches_[0].records(1).body().size(), 64 * 1024U);
}

TEST_F(TapTest, ABatchFitsIntoAMessageAndWhatTheWatcherLosesIsCounted) {
  start();
  constexpr std::uint64_t seen = 500;
  for (std::uint64_t i = 0; i < seen; ++i) see("a.A/B", 60'000);
  step();
  std::uint64_t shown = 0;
  std::uint64_t dropped = 0;
  for (const v1::TapBatch& batch : batches_) {
    EXPECT_LT(batch.ByteSizeLong(), limits::payload_bytes_max);
    shown += static_cast<std::uint64_t>(batch.records_size());
    dropped += batch.dropped();
  }
  EXPECT_EQ(shown + dropped, seen);
  EXPECT_GT(dropped, 0U) << "500 bodies are more than it keeps for a slow watcher";
  EXPECT_GT(shown, 50U);
  see("a.A/B", 60'000);
  step();
  EXPECT_EQ(batches_.back().records_size(), 1) << "there is room again";
}

}  // namespace
}  // namespace cobus
