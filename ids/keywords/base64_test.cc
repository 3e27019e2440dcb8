#include "ids/keywords/base64.h"

#include <gtest/gtest.h>

#include <rapidcheck/gtest.h>
#include <optional>
#include <string>

namespace gatehouse::ids {
namespace {

using Mode = Base64Mode;

std::optional<std::string> decode(std::string_view text, Mode mode) {
  std::vector<std::uint8_t> out;
  const core::ByteView in(reinterpret_cast<const std::uint8_t*>(text.data()), text.size());
  if (!decode_base64(in, mode, out)) return std::nullopt;
  return std::string(out.begin(), out.end());
}

std::string encode(const std::string& bytes) {
  static constexpr std::string_view kAlphabet =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    std::uint32_t bits = 0;
    for (std::size_t j = 0; j < 3; ++j)
      bits = bits << 8U | (i + j < bytes.size() ? static_cast<std::uint8_t>(bytes[i + j]) : 0U);
    for (std::size_t j = 0; j < 4; ++j)
      out += i + j <= bytes.size() ? kAlphabet[bits >> (18 - 6 * j) & 63U] : '=';
  }
  return out;
}

TEST(Base64, WellFormedTextIsTheSameInEveryMode) {
  for (const Mode mode : {Mode::rfc4648, Mode::rfc2045, Mode::strict}) {
    EXPECT_EQ(decode("aGVsbG8h", mode), "hello!");
    EXPECT_EQ(decode("aGVsbG8=", mode), "hello");
    EXPECT_EQ(decode("aGVsbA==", mode), "hell");
    EXPECT_EQ(decode("", mode), std::nullopt);
  }
}

TEST(Base64, ALastGroupWithoutPadding) {
  EXPECT_EQ(decode("aGVsbG8", Mode::rfc4648), "hello");
  EXPECT_EQ(decode("aGVsbG8", Mode::rfc2045), "hel");
  EXPECT_EQ(decode("aGVsbG8", Mode::strict), std::nullopt);
  // One character holds no byte: the data is cut in a place no encoder cuts.
  EXPECT_EQ(decode("aGVsb", Mode::rfc4648), std::nullopt);
  EXPECT_EQ(decode("aGVsb", Mode::rfc2045), "hel");
}

TEST(Base64, ForeignBytes) {
  EXPECT_EQ(decode("aGVs\r\nbG8h", Mode::rfc4648), "hel");
  EXPECT_EQ(decode("aGVs\r\nbG8h", Mode::rfc2045), "hello!");
  EXPECT_EQ(decode("aGVs\r\nbG8h", Mode::strict), std::nullopt);
  EXPECT_EQ(decode("!aGVs", Mode::rfc4648), std::nullopt);
  EXPECT_EQ(decode("!aGVs", Mode::rfc2045), "hel");
}

TEST(Base64, PaddingInsideEndsAGroupOnly) {
  EXPECT_EQ(decode("aA==aA==", Mode::rfc4648), "hh");
  EXPECT_EQ(decode("aA==aA==", Mode::strict), std::nullopt);
  EXPECT_EQ(decode("a===", Mode::rfc4648), std::nullopt);
  EXPECT_EQ(decode("aGVs====", Mode::rfc2045), std::nullopt);
  EXPECT_EQ(decode("aB==", Mode::strict), std::nullopt) << "bits would be lost";
}

RC_GTEST_PROP(Base64, WhatWasEncodedComesBack, (const std::string& bytes)) {
  if (bytes.empty()) return;
  for (const Mode mode : {Mode::rfc4648, Mode::rfc2045, Mode::strict})
    RC_ASSERT(decode(encode(bytes), mode) == bytes);
}

}  // namespace
}  // namespace gatehouse::ids
