// SPDX-License-Identifier: Apache-2.0
#include <coroutine>
int main() { return 0; }
