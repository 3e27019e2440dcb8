#include "ids/search/class_prefix.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <vector>

namespace gatehouse::ids {
namespace {

ByteClass class_of(std::string_view bytes) {
  ByteClass out;
  for (const char c : bytes) out.set(static_cast<std::uint8_t>(c));
  return out;
}

std::size_t naive(const std::vector<ByteClass>& classes, ByteView data, std::size_t from, std::size_t last) {
  for (std::size_t at = from; at <= last && at + classes.size() <= data.size(); ++at) {
    bool holds = true;
    for (std::size_t i = 0; i < classes.size(); ++i) holds = holds && classes[i][data[at + i]];
    if (holds) return at;
  }
  return ClassPrefix::kNowhere;
}

RC_GTEST_PROP(ClassPrefix, IsNaiveSearch, ()) {
  const auto letter = rc::gen::element('a', 'q', '1', '!', '\x81', '\xe1');
  std::vector<ByteClass> classes;
  for (int i = *rc::gen::inRange(1, 5); i > 0; --i)
    classes.push_back(class_of(*rc::gen::container<std::string>(letter)));
  const auto size = static_cast<std::size_t>(*rc::gen::element(0, 3, 40, 70, 3000));
  const auto text = *rc::gen::container<std::string>(size, letter);
  const auto from = static_cast<std::size_t>(*rc::gen::inRange(0, 80));
  const auto last = static_cast<std::size_t>(*rc::gen::inRange(0, 3100));
  for (const SearchKernels& kernels : runnable_kernels()) {
    const ClassPrefix prefix(classes, kernels);
    const std::vector<std::uint8_t> exact(text.begin(), text.end());  // so that a sanitizer sees its end
    RC_ASSERT(prefix.find(exact, from, last) == naive(classes, exact, from, last));
  }
}

TEST(ClassPrefix, FrequencyFollowsTheBytes) {
  const ByteClass letters = class_of("etaoinshrdlu");
  const ByteClass rare = class_of("\x7f");
  EXPECT_GT(ClassPrefix::frequency(std::vector{letters}), 0.2);
  EXPECT_LT(ClassPrefix::frequency(std::vector{rare}), 0.01);
  EXPECT_LT(ClassPrefix::frequency(std::vector{letters, letters}),
            ClassPrefix::frequency(std::vector{letters}));
}

}  // namespace
}  // namespace gatehouse::ids
