#include "fwctl/model/field.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "fwctl/model/set_builder.h"

namespace gatehouse::fwctl {
namespace {

TEST(Field, PrintsAsNftReads) {
  struct Row {
    Interval interval;
    ValueType type;
    const char* text;
  };
  const auto prefix = [](const char* text) { return Interval::of_prefix(*core::IpPrefix::parse(text)); };
  const auto address = [](const char* text) { return Value::of_address(*core::IpAddress::parse(text)); };
  const Row rows[] = {
      {prefix("10.0.0.0/8"), ValueType::ipv4, "10.0.0.0/8"},
      {prefix("0.0.0.0/0"), ValueType::ipv4, "0.0.0.0/0"},
      {prefix("2001:db8::1"), ValueType::ipv6, "2001:db8::1"},
      {prefix("fe80::/10"), ValueType::ipv6, "fe80::/10"},
      {{address("10.0.0.1"), address("10.0.0.2")}, ValueType::ipv4, "10.0.0.1-10.0.0.2"},
      {{Value::of_port(80), Value::of_port(90)}, ValueType::port, "80-90"},
      {Interval::one(Value::of_interface("wan0")), ValueType::ifname, "\"wan0\""},
      {Interval::one(Value::of_interface("a\"b")), ValueType::ifname, "\"a\\x22b\""},
      {Interval::one(Value::of_u8(6)), ValueType::protocol, "tcp"},
      {Interval::one(Value::of_u8(99)), ValueType::protocol, "99"},
      {Interval::one(Value::of_u8(135)), ValueType::icmpv6_type, "nd-neighbor-solicit"},
  };
  for (const Row& r : rows) EXPECT_EQ(r.interval.to_string(r.type), r.text);
}

TEST(Field, NeighboursCarryOverBytes) {
  const Value v = Value::of_port(0x00ff);
  EXPECT_EQ(v.next(), Value::of_port(0x0100));
  EXPECT_EQ(v.next().previous(), v);
  EXPECT_TRUE(Value::highest(2).is_highest());
  EXPECT_TRUE(Value::highest(2).next().is_lowest());
}

Box random_box() {
  Box out;
  for (int i = 0; i < 3; ++i) {
    const auto a = *rc::gen::inRange<std::uint8_t>(0, 6);
    const auto b = *rc::gen::inRange<std::uint8_t>(0, 6);
    out.push_back({Value::of_u8(std::min(a, b)), Value::of_u8(std::max(a, b))});
  }
  return out;
}

bool contains(const Box& box, const std::array<std::uint8_t, 3>& point) {
  for (std::size_t i = 0; i < point.size(); ++i) {
    const Value v = Value::of_u8(point[i]);
    if (v < box[i].first || box[i].last < v) return false;
  }
  return true;
}

// Exhaustive over all points of the small space: whatever boxes were added, each point is in exactly
// one element if it was in any, and that element is of the first box that had it.
RC_GTEST_PROP(SetBuilder, KeepsBoxesDisjointAndTheFirstWins, ()) {
  std::vector<Box> boxes;
  const int count = *rc::gen::inRange(1, 7);
  for (int i = 0; i < count; ++i) boxes.push_back(random_box());
  SetBuilder builder("s", {ValueType::number, ValueType::number, ValueType::number}, true, true, "");
  for (std::size_t i = 0; i < boxes.size(); ++i) {
    RC_ASSERT(builder.add(boxes[i], Verdict{VerdictKind::go_to, std::to_string(i)}, {}).has_value());
  }
  const Set set = builder.take();
  for (std::uint8_t x = 0; x < 6; ++x) {
    for (std::uint8_t y = 0; y < 6; ++y) {
      for (std::uint8_t z = 0; z < 6; ++z) {
        std::string wanted;
        for (std::size_t i = boxes.size(); i-- > 0;) {
          if (contains(boxes[i], {x, y, z})) wanted = std::to_string(i);
        }
        std::vector<std::string> got;
        for (const Element& e : set.elements) {
          if (contains(e.key, {x, y, z})) got.push_back(e.verdict->chain);
        }
        RC_ASSERT(got.size() == (wanted.empty() ? 0U : 1U));
        if (!wanted.empty()) RC_ASSERT(got[0] == wanted);
      }
    }
  }
}

}  // namespace
}  // namespace gatehouse::fwctl
