// SPDX-License-Identifier: Apache-2.0
#include "node/cluster/revocation_writer.hpp"

#include <gtest/gtest.h>

#include <filesystem>
#include <optional>

#include "tests/support/private_folder.hpp"
#include "tests/support/test_node.hpp"
#include "tests/support/told_log.hpp"

namespace cobus {
namespace {

using std::chrono::seconds;

constexpr std::int64_t now_s = 1'700'000'000;

class RevocationWriterTest : public TestNode {
 protected:
  ~RevocationWriterTest() override { node_.reset(); }

  void revoke_one() {
    const link::CurveKey key = link::make_curve_pair().key;
    v1::RevocationBody body;
    body.set_curve_key(key.bytes.data(), key.bytes.size());
    body.set_until(now_s + 100);
    google::protobuf::RepeatedPtrField<v1::Revocation> said;
    *said.Add() = cluster_.sign(body);
    ASSERT_EQ(list_.merge(said, now_s).size(), 1U);
  }
  Status write() {
    std::optional<Status> written;
    spawn([](Self /*self*/, RevocationWriter* writer,
             std::optional<Status>* into) -> Task<> { *into = co_await writer->write(); },
          &writer_, &written);
    return written.value_or(Status(Code::unknown, "no answer"));
  }
  // How many the file has, read as a restart does.
  std::size_t on_disk() {
    link::Revocations again(cluster_.key(), file_);
    return again.load(now_s).ok() ? again.all(now_s).size() : 0;
  }

  PrivateFolder folder_;
  std::filesystem::path file_ = folder_.path() / "revoked";
  link::ClusterSecret cluster_ = link::ClusterSecret::make();
  link::Revocations list_{cluster_.key(), file_};
  RevocationWriter writer_{*node_, list_};
  ToldLog log_;
};

TEST_F(RevocationWriterTest, A5_WritesAtOnceWhenTheDiskTakesIt) {
  revoke_one();
  EXPECT_TRUE(write().ok());
  EXPECT_EQ(on_disk(), 1U);
  EXPECT_EQ(workers(), 0U) << "nothing is left to do";
}

TEST_F(RevocationWriterTest, A5_SaysWhyItCouldNotAndTriesAgainUntilItCan) {
  std::filesystem::create_directory(file_);  // nothing can be written there
  revoke_one();
  const Status refused = write();
  EXPECT_FALSE(refused.ok());
  EXPECT_NE(refused.message().find(file_.string()), std::string::npos) << refused.message();
  revoke_one();
  EXPECT_FALSE(write().ok());
  EXPECT_EQ(workers(), 1U) << "one tries for both";
  for (int i = 0; i < 100; ++i) advance(seconds(1));
  EXPECT_EQ(workers(), 1U) << "it does not give up";

  std::filesystem::remove(file_);
  for (int i = 0; i < 30; ++i) advance(seconds(1));
  EXPECT_EQ(on_disk(), 2U);
  EXPECT_EQ(workers(), 0U);
  EXPECT_TRUE(log_.says("written down now")) << log_.text();
  EXPECT_TRUE(write().ok());

  std::filesystem::remove(file_);
  std::filesystem::create_directory(file_);
  revoke_one();
  EXPECT_FALSE(write().ok());
  EXPECT_EQ(workers(), 1U) << "and again, another time";
}

}  // namespace
}  // namespace cobus
