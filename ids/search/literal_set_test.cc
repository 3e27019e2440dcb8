#include "ids/search/literal_set.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <map>
#include <memory>

namespace gatehouse::ids {
namespace {

class Ends : public LiteralSink {
 public:
  void on_literal(std::uint32_t literal, std::size_t end) override {
    EXPECT_EQ(0U, ends.count(literal)) << "reported twice";
    ends[literal] = end;
  }
  std::map<std::uint32_t, std::size_t> ends;
};

char lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
}

std::map<std::uint32_t, std::size_t> naive(const std::vector<Literal>& literals, const std::string& data) {
  std::map<std::uint32_t, std::size_t> ends;
  for (std::uint32_t i = 0; i < literals.size(); ++i) {
    const Literal& literal = literals[i];
    const auto place =
        std::search(data.begin(), data.end(), literal.bytes.begin(), literal.bytes.end(),
                    [&](char a, char b) { return literal.nocase ? lower(a) == lower(b) : a == b; });
    if (place != data.end() || literal.bytes.empty())
      ends[i] = static_cast<std::size_t>(place - data.begin()) + literal.bytes.size();
  }
  return ends;
}

// The data in memory of exactly its size, so that a sanitizer sees a byte read too much.
std::map<std::uint32_t, std::size_t> scan(const LiteralSet& set, const std::string& data) {
  const auto copy = std::make_unique<std::uint8_t[]>(data.size());
  std::copy(data.begin(), data.end(), copy.get());
  LiteralScratch scratch;
  scratch.reserve(set.size());
  Ends ends;
  set.scan({copy.get(), data.size()}, scratch, ends);
  return ends.ends;
}

// A set for each kernel.
class Sets {
 public:
  explicit Sets(const std::vector<Literal>& literals) : literals_(literals) {
    for (const SearchKernels& kernels : runnable_kernels()) sets_.emplace_back(literals, kernels);
  }
  void same_as_naive(const std::string& data) const {
    const auto expected = naive(literals_, data);
    for (const LiteralSet& set : sets_)
      EXPECT_EQ(expected, scan(set, data)) << "kernel " << &set - sets_.data() << " in " << data.size();
  }

 private:
  std::vector<Literal> literals_;
  std::vector<LiteralSet> sets_;
};

void same_as_naive(const std::vector<Literal>& literals, const std::string& data) {
  Sets(literals).same_as_naive(data);
}

TEST(LiteralSet, FindsLiteralsOfEveryLengthAtEveryPlace) {
  for (const std::size_t many : {std::size_t{0}, std::size_t{100}, std::size_t{400}}) {
    std::vector<Literal> literals;
    for (std::size_t size = 1; size <= 20; ++size) {
      literals.push_back({std::string("qzxjkwvbyqzxjkwvbyqz").substr(20 - size), size % 2 == 0});
    }
    // Enough others that buckets, dense and strided fingerprints are all used.
    for (std::size_t i = 0; i < many; ++i) {
      literals.push_back({"#" + std::to_string(i + 1000), false});
      literals.push_back({"#longer#" + std::to_string(i + 1000), true});
    }
    const Sets sets(literals);
    for (const std::size_t size : {20, 21, 35, 36, 63, 64, 65, 67, 68, 131, 2048, 2050, 4099}) {
      for (std::size_t at = 0; at + 20 <= size; at += size > 200 ? 13 : 1) {
        std::string data(size, '.');
        data.replace(at, 20, "qzxjkwvbyqzxjkwvbyqz");
        sets.same_as_naive(data);
      }
    }
  }
}

TEST(LiteralSet, CaseMattersWhereItShall) {
  const std::vector<Literal> literals = {
      {"Select", true}, {"Select", false}, {"UNION SELECT", true}, {"union select", false}, {"a@", true}};
  same_as_naive(literals, "uNiOn sElEcT");
  same_as_naive(literals, "union Select A@");
  same_as_naive(literals, "a` A`");  // differs from '@' in the bit of the case
}

TEST(LiteralSet, WhatLiesAcrossTheEndIsNotThere) {
  const std::vector<Literal> literals = {{"abcdefgh", false}, {"abc", false}, {std::string("a\0", 2), false}};
  for (std::size_t size = 0; size < 8; ++size)
    same_as_naive(literals, std::string("abcdefgh").substr(0, size));
}

TEST(LiteralSet, BinaryBytes) {
  std::string all;
  for (int i = 0; i < 256; ++i) all += static_cast<char>(i);
  std::vector<Literal> literals;
  for (std::size_t i = 0; i + 9 < 256; i += 3) literals.push_back({all.substr(i, 1 + i % 9), i % 2 == 0});
  same_as_naive(literals, all + all);
}

// A small alphabet, so that much is found and much nearly.
RC_GTEST_PROP(LiteralSet, IsNaiveSearch, ()) {
  const auto letter = rc::gen::element('a', 'A', 'b', 'B', '\r', '\xe1');
  const auto count = *rc::gen::element(1, 5, 60, 300);
  std::vector<Literal> literals;
  for (int i = 0; i < count; ++i) {
    const auto size = *rc::gen::inRange(1, 18);
    literals.push_back({*rc::gen::container<std::string>(static_cast<std::size_t>(size), letter),
                        *rc::gen::arbitrary<bool>()});
  }
  const auto size = static_cast<std::size_t>(*rc::gen::inRange(0, 400));
  same_as_naive(literals, *rc::gen::container<std::string>(size, letter));
}

// Runs of one byte, of letters in either case, too, with and without something at their borders.
RC_GTEST_PROP(LiteralSet, IsNaiveSearchInRuns, ()) {
  const auto runs = [](int most_runs, int longest) {
    std::string out;
    for (int i = *rc::gen::inRange(1, most_runs); i > 0; --i) {
      const char byte = *rc::gen::element('\0', 'a', 'A', 'b', '[', '{', '\xff');
      out.append(static_cast<std::size_t>(*rc::gen::inRange(1, longest)), byte);
    }
    return out;
  };
  const auto count = *rc::gen::element(1, 5, 60, 300);
  std::vector<Literal> literals;
  for (int i = 0; i < count; ++i)
    literals.push_back({runs(4, 9).substr(0, 255), *rc::gen::arbitrary<bool>()});
  same_as_naive(literals, runs(20, 30));
}

// Comparing all their windows with each other would take minutes.
TEST(LiteralSet, TensOfThousandsOfShortLiterals) {
  std::vector<Literal> literals;
  for (unsigned i = 0; i < 30'000; ++i) {
    const std::string three = {static_cast<char>(i % 251), static_cast<char>(i / 251),
                               static_cast<char>(i % 7)};
    literals.push_back({three, i % 3 == 0});
  }
  literals.push_back({"A", false, byte_classes("bcd", true)});
  std::string data;
  for (unsigned i = 0; i < 600; ++i) data += static_cast<char>(i * 37 % 253);
  same_as_naive({literals.begin(), literals.end() - 1}, data);
  const LiteralSet set(literals);
  EXPECT_EQ(1U, scan(set, "..ABcD..").count(30'000));
  EXPECT_EQ(0U, scan(set, "..aBcD..").count(30'000));
}

TEST(LiteralSet, ScratchOutlivesItsCounterAndServesManySets) {
  const std::vector<Literal> few = {{"needle", false}};
  std::vector<Literal> many;
  for (int i = 0; i < 500; ++i) many.push_back({"needle" + std::to_string(i), false});
  const LiteralSet small(few);
  const LiteralSet big(many);
  LiteralScratch scratch;
  scratch.reserve(big.size());
  const std::string text = "a needle42 in the hay";
  for (int i = 0; i < 3; ++i) {
    Ends in_small, in_big;
    small.scan(core::as_bytes(text), scratch, in_small);
    big.scan(core::as_bytes(text), scratch, in_big);
    EXPECT_EQ(naive(few, text), in_small.ends);
    EXPECT_EQ(naive(many, text), in_big.ends);
  }
}

}  // namespace
}  // namespace gatehouse::ids
