// SPDX-License-Identifier: Apache-2.0
//
// text.Text: a call that computes a little and a stream that yields as it goes.
#include "text.cobus.h"

#include "node/services/shipped.hpp"
#include "node/services/word_count.hpp"

namespace cobus::services {
namespace {

class Text final : public text::TextService {
 public:
  Task<Result<text::WordCountReply>> WordCount(Call /*call*/, text::WordCountRequest request) override {
    const WordCounts counts = count_words(request.text());
    text::WordCountReply reply;
    reply.set_lines(counts.lines);
    reply.set_words(counts.words);
    reply.set_bytes(counts.bytes);
    co_return reply;
  }

  Stream<text::Line> Grep(Call /*call*/, text::GrepRequest request) override {
    if (request.pattern().empty()) {
      co_yield fail(Code::invalid_argument,
                    "pattern: it is empty, so every line would match; give a text to look for");
    }
    std::string_view rest = request.text();
    for (std::uint64_t number = 1; !rest.empty(); ++number) {
      const std::string_view line = rest.substr(0, rest.find('\n'));
      rest.remove_prefix(std::min(line.size() + 1, rest.size()));
      if (line.find(request.pattern()) == std::string_view::npos) continue;
      text::Line found;
      found.set_number(number);
      found.set_text(std::string(line));
      co_yield found;
    }
  }
};

}  // namespace

std::unique_ptr<Service> make_text() { return std::make_unique<Text>(); }

}  // namespace cobus::services
