// Regular expressions under limits. The only includer of pcre2.h is regex.cc.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "ids/keywords/rule.h"
#include "ids/search/class_prefix.h"

namespace gatehouse::ids {

struct RegexOptions {
  bool caseless = false;    // i
  bool dot_all = false;     // s
  bool multiline = false;   // m
  bool extended = false;    // x
  bool anchored = false;    // A
  bool dollar_end = false;  // E
  bool ungreedy = false;    // G
};

struct RegexError {
  std::string message;
  std::size_t offset = 0;  // into the pattern
};

// What is known of the bytes a match begins with, from the pattern alone.
struct RegexPrefix {
  // What the i-th byte of every match is one of. Empty: nothing can be said.
  std::vector<ByteClass> classes;
  bool anchored = false;  // every match begins where the subject does
};

// Immutable but for the machine code, which the first match makes: most regexes of a rule set
// never run, and compiling all of them would dominate the start.
class CompiledRegex {
 public:
  static constexpr unsigned kMostGroups = 15;  // groups whose bounds a match reports

  virtual ~CompiledRegex() = default;
  // The first match at or after `from`; its bounds. A match that exceeds the limits is no match.
  virtual bool find(ByteView subject, std::size_t from, std::size_t& begin, std::size_t& end) const = 0;
  // As find(), asking PCRE2 whatever the pattern says about where a match can begin.
  virtual bool exact_find(ByteView subject, std::size_t from, std::size_t& begin, std::size_t& end) const = 0;
  // False: it is anchored and no match can begin at buffer[at]. True says nothing.
  virtual bool may_begin_at(ByteView buffer, std::size_t at) const = 0;
  // What every match begins with.
  virtual const RegexPrefix& prefix() const = 0;
  // The same as find(), giving capture group 1 (pcrexform).
  virtual bool capture(ByteView subject, std::size_t& begin, std::size_t& end) const = 0;
  virtual unsigned captures() const = 0;  // number of capture groups
  // A group of the last match that this thread made with any regex; null data: it took no part.
  virtual ByteView last_group(ByteView subject, unsigned group) const = 0;
  // Names of the groups and their numbers.
  virtual std::vector<std::pair<std::string, unsigned>> group_names() const = 0;

  static std::shared_ptr<const CompiledRegex> compile(std::string_view pattern, const RegexOptions& options,
                                                      std::uint32_t match_limit,
                                                      std::uint32_t recursion_limit, RegexError& error);
};

}  // namespace gatehouse::ids
