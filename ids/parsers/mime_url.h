// Addresses in the text of a mail.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/bytes.h"
#include "ids/parsers/config.h"

namespace gatehouse::ids::mime {

// Reads decoded text as it comes and collects what starts with one of the configured schemes, line
// by line and within a line scheme by scheme.
class UrlFinder {
 public:
  // Both must outlive it.
  UrlFinder(const MimeConfig& config, std::vector<std::string>& out) : config_(config), out_(out) {}
  void feed(core::ByteView text);
  void finish();

 private:
  void search(std::string_view line);
  const MimeConfig& config_;
  std::vector<std::string>& out_;
  std::string line_;
};

}  // namespace gatehouse::ids::mime
