#include "ids/state/dataset_file.h"

#include <charconv>

namespace gatehouse::ids {
namespace {

constexpr std::size_t kMostErrors = 20;  // of one file: a wrong type makes every line one

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view kBlank = " \t\r";
  const std::size_t first = text.find_first_not_of(kBlank);
  if (first == std::string_view::npos) return text.substr(text.size());
  return text.substr(first, text.find_last_not_of(kBlank) - first + 1);
}

class LineReader {
 public:
  LineReader(const core::SourceText& source, bool needs_reputation, Dataset& out,
             core::Diagnostics& diagnostics)
      : source_(source), needs_reputation_(needs_reputation), out_(out), diagnostics_(diagnostics) {}

  bool run() {
    const std::string_view text = source_.text();
    for (std::size_t start = 0; start < text.size() && errors_ < kMostErrors;) {
      const std::size_t end = std::min(text.find('\n', start), text.size());
      const std::string_view line = trimmed(text.substr(start, end - start));
      start = end + 1;
      if (!line.empty()) read(line);
    }
    diagnostics_.attach(source_);
    return errors_ == 0;
  }

 private:
  void fail(std::string_view part, std::string code, std::string message) {
    ++errors_;
    const auto at = static_cast<std::size_t>(part.data() - source_.text().data());
    core::Diagnostic& d = diagnostics_.error(std::move(code), source_.position(at), std::move(message));
    d.length = static_cast<std::uint32_t>(std::max<std::size_t>(part.size(), 1));
  }

  void read(std::string_view line) {
    const std::size_t comma = line.find(',');
    const std::string_view text = trimmed(line.substr(0, comma));
    DatasetItem item;
    if (comma != std::string_view::npos) {
      const std::string_view number = trimmed(line.substr(comma + 1));
      std::uint16_t value = 0;
      const auto read = std::from_chars(number.data(), number.data() + number.size(), value);
      if (number.empty() || read.ec != std::errc{} || read.ptr != number.data() + number.size())
        return fail(line.substr(comma), "dataset-reputation", "a reputation is a number from 0 to 65535");
      item.reputation = value;
    } else if (needs_reputation_) {
      return fail(line, "dataset-reputation", "this line has no reputation: VALUE,REPUTATION");
    }
    const auto value = parse_dataset_value(out_.type(), text);
    if (!value) {
      constexpr std::string_view kForms[] = {"base64 text", "32 hexadecimal digits", "64 hexadecimal digits",
                                             "an IPv4 address", "an IP address"};
      return fail(text.empty() ? line : text, "dataset-value",
                  "this is no value of type " + std::string(to_string(out_.type())) + ": it takes " +
                      std::string(kForms[static_cast<std::size_t>(out_.type())]));
    }
    if (out_.add(core::as_bytes(*value), item) == Dataset::Added::full) {
      fail(line, "dataset-memcap",
           "the dataset `" + out_.name() + "` has no room for more: raise its memcap");
      errors_ = kMostErrors;
    }
  }

  const core::SourceText& source_;
  bool needs_reputation_;
  Dataset& out_;
  core::Diagnostics& diagnostics_;
  std::size_t errors_ = 0;
};

}  // namespace

bool read_dataset(const core::SourceText& source, bool needs_reputation, Dataset& out,
                  core::Diagnostics& diagnostics) {
  return LineReader(source, needs_reputation, out, diagnostics).run();
}

}  // namespace gatehouse::ids
