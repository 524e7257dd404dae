// SPDX-License-Identifier: Apache-2.0
#include "broker/tokens.hpp"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <algorithm>
#include <fstream>
#include <sstream>

#include "tests/support/private_folder.hpp"

namespace cobus::broker {
namespace {

using std::chrono::seconds;

constexpr std::int64_t now_s = 1'700'000'000;

class TokenStoreTest : public testing::Test {
 protected:
  [[nodiscard]] std::filesystem::path file() const { return folder_.path() / "tokens"; }
  [[nodiscard]] TokenStore open() const {
    auto store = TokenStore::open(file());
    EXPECT_TRUE(store) << store.error().to_string();
    return std::move(store.value());
  }
  [[nodiscard]] std::string content() const {
    std::ostringstream text;
    text << std::ifstream(file()).rdbuf();
    return text.str();
  }
  PrivateFolder folder_;
};

TEST_F(TokenStoreTest, ATokenGivesItsRole) {
  TokenStore store = open();
  const auto secret = store.create(v1::SUBMIT, seconds(60), 1, now_s);
  ASSERT_TRUE(secret);
  EXPECT_EQ(secret->size(), 32U);
  EXPECT_EQ(secret->find_first_not_of("abcdefghijklmnopqrstuvwxyz234567"), std::string::npos);
  EXPECT_EQ(store.redeem(*secret, now_s), v1::SUBMIT);
}

TEST_F(TokenStoreTest, ATokenMayBeTypedInCapitals) {
  TokenStore store = open();
  std::string secret = store.create(v1::NODE, seconds(60), 1, now_s).value();
  std::ranges::transform(secret, secret.begin(), [](char c) { return static_cast<char>(std::toupper(c)); });
  EXPECT_EQ(store.redeem(secret, now_s), v1::NODE);
}

TEST_F(TokenStoreTest, AnUnknownTokenIsUnauthenticated) {
  TokenStore store = open();
  ASSERT_TRUE(store.create(v1::NODE, seconds(60), 1, now_s));
  for (const char* secret : {"", "a", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"}) {
    EXPECT_EQ(store.redeem(secret, now_s).error().code(), Code::unauthenticated);
  }
}

TEST_F(TokenStoreTest, AnExpiredTokenIsRefusedAndSaysSo) {
  TokenStore store = open();
  const auto secret = store.create(v1::NODE, seconds(60), 5, now_s).value();
  EXPECT_TRUE(store.redeem(secret, now_s + 59));
  const auto refused = store.redeem(secret, now_s + 60);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code(), Code::permission_denied);
  EXPECT_NE(refused.error().message().find("expired"), std::string::npos);
}

TEST_F(TokenStoreTest, AUsedUpTokenIsRefusedAlsoAfterARestart) {
  std::string secret;
  {
    TokenStore store = open();
    secret = store.create(v1::NODE, seconds(600), 2, now_s).value();
    EXPECT_TRUE(store.redeem(secret, now_s));
  }
  {
    TokenStore store = open();
    EXPECT_TRUE(store.redeem(secret, now_s + 1));
  }
  TokenStore store = open();
  const auto refused = store.redeem(secret, now_s + 2);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code(), Code::permission_denied);
  EXPECT_NE(refused.error().message().find("used up"), std::string::npos);
}

TEST_F(TokenStoreTest, ATokenWithoutBoundsGoesOnForEver) {
  TokenStore store = open();
  const auto secret = store.create(v1::NODE, ttl_unlimited, uses_unlimited, now_s).value();
  for (int i = 0; i < 100; ++i) EXPECT_TRUE(store.redeem(secret, now_s + i * 1'000'000));
  EXPECT_EQ(store.usable(now_s), 1U);
}

TEST_F(TokenStoreTest, TheFileIsPrivateAndHoldsNoSecret) {
  TokenStore store = open();
  const auto secret = store.create(v1::NODE, seconds(60), 1, now_s).value();
  struct stat info{};
  ASSERT_EQ(stat(file().c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777U, 0600U);
  EXPECT_EQ(content().find(secret), std::string::npos);
}

TEST_F(TokenStoreTest, AFileThatOthersCanReadIsRefused) {
  ASSERT_TRUE(open().create(v1::NODE, seconds(60), 1, now_s));
  ASSERT_EQ(chmod(file().c_str(), 0644), 0);
  EXPECT_EQ(TokenStore::open(file()).error().code(), Code::permission_denied);
}

TEST_F(TokenStoreTest, ADamagedFileIsRefusedAndNamed) {
  for (const char* text :
       {"", "something else\n", "cobus tokens v1\nabc\n", "cobus tokens v1\nabc broker 1 2 3\n"}) {
    std::ofstream(file()) << text;
    ASSERT_EQ(chmod(file().c_str(), 0600), 0);
    const auto store = TokenStore::open(file());
    ASSERT_FALSE(store) << text;
    EXPECT_EQ(store.error().code(), Code::failed_precondition);
    EXPECT_NE(store.error().message().find(file().string()), std::string::npos);
  }
}

TEST_F(TokenStoreTest, NoTokenMakesABroker) {
  TokenStore store = open();
  EXPECT_EQ(store.create(v1::BROKER, seconds(60), 1, now_s).error().code(), Code::invalid_argument);
  EXPECT_EQ(store.create(v1::ROLE_UNSPECIFIED, seconds(60), 1, now_s).error().code(), Code::invalid_argument);
  EXPECT_EQ(store.create(v1::NODE, seconds(-1), 1, now_s).error().code(), Code::invalid_argument);
}

TEST_F(TokenStoreTest, LongExpiredTokensAreForgotten) {
  TokenStore store = open();
  ASSERT_TRUE(store.create(v1::NODE, seconds(60), 1, now_s));
  ASSERT_TRUE(store.create(v1::NODE, seconds(60), 1, now_s + 90 * 24 * 3600));
  const std::string text = content();
  EXPECT_EQ(std::ranges::count(text, '\n'), 2) << text;
}

TEST_F(TokenStoreTest, AUseThatCannotBeWrittenDownDoesNotCount) {
  TokenStore store = open();
  const auto secret = store.create(v1::NODE, seconds(60), 1, now_s).value();
  const auto elsewhere = folder_.path().string() + ".elsewhere";
  std::filesystem::rename(folder_.path(), elsewhere);
  EXPECT_FALSE(store.redeem(secret, now_s));
  std::filesystem::rename(elsewhere, folder_.path());
  EXPECT_TRUE(store.redeem(secret, now_s));
}

}  // namespace
}  // namespace cobus::broker
