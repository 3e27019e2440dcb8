#include "ids/keywords/regex.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include <array>
#include <bitset>
#include <mutex>

#include "ids/keywords/regex_prefix.h"

namespace gatehouse::ids {
namespace {

struct CodeFree {
  void operator()(pcre2_code* code) const { pcre2_code_free(code); }
};

// What a match needs besides the code: one per thread, made on its first match.
struct Scratch {
  pcre2_match_data* data = pcre2_match_data_create(CompiledRegex::kMostGroups + 1, nullptr);
  pcre2_match_context* context = pcre2_match_context_create(nullptr);
  pcre2_jit_stack* stack = pcre2_jit_stack_create(32 * 1024, 512 * 1024, nullptr);

  Scratch() {
    if (context != nullptr && stack != nullptr) pcre2_jit_stack_assign(context, nullptr, stack);
  }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;
  ~Scratch() {
    pcre2_jit_stack_free(stack);
    pcre2_match_context_free(context);
    pcre2_match_data_free(data);
  }
};

Scratch& scratch() {
  thread_local Scratch instance;
  return instance;
}

class Pcre2Regex : public CompiledRegex {
 public:
  Pcre2Regex(pcre2_code* code, std::uint32_t match_limit, std::uint32_t recursion_limit, RegexPrefix prefix)
      : code_(code),
        match_limit_(match_limit),
        recursion_limit_(recursion_limit),
        prefix_(std::move(prefix)) {}

  bool find(ByteView subject, std::size_t from, std::size_t& begin, std::size_t& end) const override {
    std::call_once(prepared_, [this] { prepare(); });
    // An anchored regex begins where the subject does, and most fail on the first byte.
    if (from == 0 && !subject.empty() && !may_begin_at(subject, 0)) return false;
    if (skip_ && !anchored_) {
      from = skip_->find(subject, from, subject.size());
      if (from == ClassPrefix::kNowhere) return false;
    }
    return exact_find(subject, from, begin, end);
  }

  bool exact_find(ByteView subject, std::size_t from, std::size_t& begin, std::size_t& end) const override {
    if (!run(subject, from)) return false;
    const PCRE2_SIZE* bounds = pcre2_get_ovector_pointer(scratch().data);
    // \K can put the start behind the end.
    if (bounds[0] > bounds[1]) return false;
    begin = bounds[0];
    end = bounds[1];
    return true;
  }

  bool may_begin_at(ByteView buffer, std::size_t at) const override {
    std::call_once(prepared_, [this] { prepare(); });
    return !anchored_ || at >= buffer.size() ||
           (may_begin_with_[buffer[at]] && (!skip_ || skip_->lies_at(buffer, at)));
  }

  const RegexPrefix& prefix() const override { return prefix_; }

  bool capture(ByteView subject, std::size_t& begin, std::size_t& end) const override {
    if (!run(subject, 0) || pcre2_get_ovector_count(scratch().data) < 2) return false;
    const PCRE2_SIZE* bounds = pcre2_get_ovector_pointer(scratch().data);
    if (bounds[2] == PCRE2_UNSET || bounds[2] > bounds[3]) return false;
    begin = bounds[2];
    end = bounds[3];
    return true;
  }

  ByteView last_group(ByteView subject, unsigned group) const override {
    if (group >= pcre2_get_ovector_count(scratch().data)) return {};
    const PCRE2_SIZE* bounds = pcre2_get_ovector_pointer(scratch().data) + 2 * std::size_t{group};
    if (bounds[0] == PCRE2_UNSET || bounds[0] > bounds[1] || bounds[1] > subject.size()) return {};
    return subject.subspan(bounds[0], bounds[1] - bounds[0]);
  }

  std::vector<std::pair<std::string, unsigned>> group_names() const override {
    std::uint32_t count = 0;
    std::uint32_t entry_size = 0;
    PCRE2_SPTR table = nullptr;
    std::vector<std::pair<std::string, unsigned>> names;
    pcre2_pattern_info(code_.get(), PCRE2_INFO_NAMECOUNT, &count);
    pcre2_pattern_info(code_.get(), PCRE2_INFO_NAMEENTRYSIZE, &entry_size);
    pcre2_pattern_info(code_.get(), PCRE2_INFO_NAMETABLE, &table);
    for (; count > 0; --count, table += entry_size) {
      names.emplace_back(reinterpret_cast<const char*>(table + 2),
                         static_cast<unsigned>(table[0] << 8U | table[1]));
    }
    return names;
  }

  unsigned captures() const override {
    std::uint32_t count = 0;
    pcre2_pattern_info(code_.get(), PCRE2_INFO_CAPTURECOUNT, &count);
    return count;
  }

 private:
  bool run(ByteView subject, std::size_t from) const {
    if (from > subject.size()) return false;
    std::call_once(prepared_, [this] { prepare(); });
    Scratch& s = scratch();
    if (s.data == nullptr || s.context == nullptr) return false;
    pcre2_set_match_limit(s.context, match_limit_);
    pcre2_set_depth_limit(s.context, recursion_limit_);
    static constexpr std::uint8_t kNothing = 0;  // PCRE2 refuses a null subject
    const std::uint8_t* bytes = subject.empty() ? &kNothing : subject.data();
    const auto match = jit_ ? pcre2_jit_match : pcre2_match;
    return match(code_.get(), bytes, subject.size(), from, 0, s.data, s.context) >= 0;
  }

  void prepare() const {
    jit_ = pcre2_jit_compile(code_.get(), PCRE2_JIT_COMPLETE) == 0;
    std::uint32_t options = 0;
    pcre2_pattern_info(code_.get(), PCRE2_INFO_ALLOPTIONS, &options);
    anchored_ = (options & PCRE2_ANCHORED) != 0 && find_first_bytes();
    // To look for what is nearly everywhere would be one search more.
    constexpr double kRare = 1.0 / 64;
    if (!prefix_.classes.empty() && (anchored_ || ClassPrefix::frequency(prefix_.classes) < kRare))
      skip_ = std::make_unique<const ClassPrefix>(prefix_.classes);
  }

  // Which bytes a match can begin with: those after which PCRE2 would read on, or is done. False: it cannot
  // tell.
  bool find_first_bytes() const {
    Scratch& s = scratch();
    if (s.data == nullptr || s.context == nullptr) return false;
    pcre2_set_match_limit(s.context, match_limit_);
    pcre2_set_depth_limit(s.context, recursion_limit_);
    for (unsigned byte = 0; byte < may_begin_with_.size(); ++byte) {
      const auto subject = static_cast<std::uint8_t>(byte);
      const int result =
          pcre2_match(code_.get(), &subject, 1, 0, PCRE2_PARTIAL_HARD | PCRE2_NO_JIT, s.data, s.context);
      may_begin_with_[byte] = result != PCRE2_ERROR_NOMATCH;
    }
    return true;
  }

  std::unique_ptr<pcre2_code, CodeFree> code_;
  std::uint32_t match_limit_, recursion_limit_;
  RegexPrefix prefix_;
  mutable std::once_flag prepared_;  // guards what follows
  mutable bool jit_ = false, anchored_ = false;
  mutable std::bitset<256> may_begin_with_;
  mutable std::unique_ptr<const ClassPrefix> skip_;
};

std::uint32_t flags_of(const RegexOptions& options) {
  std::uint32_t flags = 0;
  if (options.caseless) flags |= PCRE2_CASELESS;
  if (options.dot_all) flags |= PCRE2_DOTALL;
  if (options.multiline) flags |= PCRE2_MULTILINE;
  if (options.extended) flags |= PCRE2_EXTENDED;
  if (options.anchored) flags |= PCRE2_ANCHORED;
  if (options.dollar_end) flags |= PCRE2_DOLLAR_ENDONLY;
  if (options.ungreedy) flags |= PCRE2_UNGREEDY;
  // \C in a rule is one byte anyway; recursion into the C stack at compile time is bounded by PCRE2.
  return flags;
}

}  // namespace

std::shared_ptr<const CompiledRegex> CompiledRegex::compile(std::string_view pattern,
                                                            const RegexOptions& options,
                                                            std::uint32_t match_limit,
                                                            std::uint32_t recursion_limit,
                                                            RegexError& error) {
  int number = 0;
  PCRE2_SIZE offset = 0;
  pcre2_code* code = pcre2_compile(reinterpret_cast<PCRE2_SPTR>(pattern.data()), pattern.size(),
                                   flags_of(options), &number, &offset, nullptr);
  if (code == nullptr) {
    std::array<PCRE2_UCHAR, 256> text{};
    pcre2_get_error_message(number, text.data(), text.size());
    error.message = reinterpret_cast<const char*>(text.data());
    error.offset = offset;
    return nullptr;
  }
  return std::make_shared<Pcre2Regex>(code, match_limit, recursion_limit, regex_prefix(pattern, options));
}

}  // namespace gatehouse::ids
