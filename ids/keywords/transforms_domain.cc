// domain and tld: the parts of a name by the Public Suffix List. The only includer of libpsl.h.
#include <libpsl.h>

#include "ids/keywords/transforms.h"

namespace gatehouse::ids {
namespace {

constexpr std::size_t kLongestName = 255;

// The labels of `name` from the `count`-th last one on.
std::string_view last_labels(std::string_view name, std::size_t count) {
  std::size_t at = name.size();
  while (count-- > 0 && at != std::string_view::npos && at > 0) at = name.rfind('.', at - 1);
  return at == std::string_view::npos ? name : name.substr(at + 1);
}

// The longest public suffix of `name`; a top label nobody listed is one.
std::string_view suffix_of(const std::string& name) {
  static const psl_ctx_t* const list = psl_builtin();
  if (list != nullptr) {
    if (const char* suffix = psl_unregistrable_domain(list, name.c_str())) return suffix;
  }
  return last_labels(name, 1);
}

// Empty when `in` is no name: nothing then is its domain.
class DomainTransform : public Transform {
 public:
  explicit DomainTransform(bool whole_domain) : whole_domain_(whole_domain) {}
  bool apply(ByteView in, std::vector<std::uint8_t>& out) const override {
    out.clear();
    const std::string name(in.begin(), in.end());
    if (name.size() > kLongestName || name.find('.') == std::string::npos ||
        name.find('\0') != std::string::npos)
      return true;
    const std::size_t root = name.back() == '.' ? 1 : 0;
    const std::string folded = lowered(name.substr(0, name.size() - root));
    std::size_t length = suffix_of(folded).size() + root;
    if (length >= name.size()) return true;
    if (whole_domain_) {
      const std::size_t dot =
          name.size() - length < 2 ? std::string::npos : name.rfind('.', name.size() - length - 2);
      length = dot == std::string::npos ? name.size() : name.size() - dot - 1;
    }
    out.assign(in.end() - static_cast<std::ptrdiff_t>(length), in.end());
    return true;
  }
  std::string key() const override { return whole_domain_ ? "domain" : "tld"; }

 private:
  static std::string lowered(std::string text) {
    for (char& c : text) {
      if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + 32);
    }
    return text;
  }

  bool whole_domain_;
};

void apply(RuleBuilder& builder, const lang::RuleOption& option) {
  BufferMatch* list = transform_target(builder, option);
  if (list != nullptr) list->transforms.push_back(std::make_shared<DomainTransform>(option.name == "domain"));
}

constexpr KeywordDescriptor kKeywords[] = {
    {"domain", ValueNeed::none, "transform: the registered domain of a name", apply},
    {"tld", ValueNeed::none, "transform: the public suffix of a name", apply},
};

}  // namespace

std::span<const KeywordDescriptor> keyword_family_transforms_domain() {
  return kKeywords;
}

}  // namespace gatehouse::ids
