// SPDX-License-Identifier: Apache-2.0
//
// Which roles a method admits.
#include "node/worker/service.hpp"

#include <gtest/gtest.h>

#include <string>

namespace cobus {
namespace {

// The roles that a method with these `roles` admits, as a text.
std::string admitted(std::initializer_list<v1::Role> roles) {
  Method method;
  for (const v1::Role role : roles) method.options.add_roles(role);
  std::string all;
  for (int role = v1::Role_MIN; role <= v1::Role_MAX; ++role) {
    if (v1::Role_IsValid(role) && method.admits(static_cast<v1::Role>(role))) {
      all += v1::Role_Name(static_cast<v1::Role>(role)) + ' ';
    }
  }
  return all;
}

TEST(MethodRoles, AMethodThatNamesNoneAdmitsThoseWhoMayRunWork) {
  EXPECT_EQ(admitted({}), "NODE SUBMIT ADMIN ");
}

TEST(MethodRoles, AMethodAdmitsTheRolesThatItNamesAndNoOther) {
  EXPECT_EQ(admitted({v1::OBSERVE}), "OBSERVE ");
  EXPECT_EQ(admitted({v1::OBSERVE, v1::ADMIN}), "OBSERVE ADMIN ");
  EXPECT_EQ(admitted({v1::BROKER}), "BROKER ");
}

}  // namespace
}  // namespace cobus
