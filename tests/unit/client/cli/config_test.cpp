// SPDX-License-Identifier: Apache-2.0
#include "client/cli/config.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

namespace cobus::client {
namespace {

using testing::HasSubstr;

class Config : public testing::Test {
 protected:
  Config() {
    std::filesystem::create_directories(folder_);
    for (const char* name : {"COBUS_OUTPUT", "COBUS_STATE", "COBUS_JOIN", "COBUS_COLOR"}) ::unsetenv(name);
  }
  ~Config() override {
    ::unsetenv("COBUS_OUTPUT");
    std::filesystem::remove_all(folder_);
  }
  std::string file(const std::string& name, const std::string& text) const {
    std::ofstream(folder_ / name) << text;
    return (folder_ / name).string();
  }
  static std::string output(const std::vector<std::string>& files, Arguments globals = {}) {
    const Status status = add_config(globals, files);
    return status.ok() ? globals.text("output") : status.message();
  }

  const std::filesystem::path folder_ =
      std::filesystem::temp_directory_path() / ("cobus-config-" + std::to_string(::getpid()));
};

TEST_F(Config, AFlagBeatsTheEnvironmentBeatsTheLaterFile) {
  const std::vector<std::string> files = {file("machine", "output = \"yaml\"\ncolor = \"never\"\n"),
                                          file("user", "output = \"wide\"\n"), folder_ / "absent"};
  EXPECT_EQ(output(files), "wide");
  ::setenv("COBUS_OUTPUT", "id", 1);
  EXPECT_EQ(output(files), "id");
  ::setenv("COBUS_OUTPUT", "", 1);
  EXPECT_EQ(output(files), "wide") << "an empty variable says nothing";
  Arguments flags;
  flags.set("output", {"json"});
  EXPECT_EQ(output(files, flags), "json");
  Arguments json;
  json.set("json", {"true"});
  EXPECT_EQ(output(files, json), "");
  Arguments globals;
  ASSERT_TRUE(add_config(globals, files).ok());
  EXPECT_EQ(globals.text("color"), "never");
}

TEST_F(Config, AWrongValueIsRefusedWithThePlaceItComesFrom) {
  ::setenv("COBUS_OUTPUT", "jsn", 1);
  EXPECT_THAT(output({}), AllOf(HasSubstr("COBUS_OUTPUT"), HasSubstr("did you mean json?")));
  ::unsetenv("COBUS_OUTPUT");
  const std::string name = file("user", "connect-timeout = \"soon\"\n");
  EXPECT_THAT(output({name}), AllOf(HasSubstr(name), HasSubstr("connect-timeout"), HasSubstr("'soon'")));
  EXPECT_THAT(output({file("user", "colour = \"never\"\n")}), HasSubstr("no option 'colour'"));
}

TEST_F(Config, APathInAFileIsSeenFromThere) {
  Arguments globals;
  ASSERT_TRUE(add_config(globals, {file("project", "state = \"trial\"\njoin = \"@join/submit\"\n")}).ok());
  EXPECT_EQ(globals.text("state"), (folder_ / "trial").string());
  EXPECT_EQ(globals.text("join"), "@" + (folder_ / "join/submit").string());
}

}  // namespace
}  // namespace cobus::client
