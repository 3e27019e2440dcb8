// Small value types of core: bytes, arena, JSON, addresses, clocks.
#include <arpa/inet.h>
#include <gtest/gtest.h>

#include <rapidcheck/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <functional>
#include <limits>
#include <nlohmann/json.hpp>

#include "core/arena.h"
#include "core/bytes.h"
#include "core/ip.h"
#include "core/json.h"
#include "core/os.h"

namespace gatehouse::core {
namespace {

TEST(ByteReader, ReadsNetworkOrderAndStopsAtTheEnd) {
  const std::vector<std::uint8_t> data = {1, 2, 3, 4, 5, 6, 7};
  ByteReader reader(data);
  EXPECT_EQ(reader.u8(), 1);
  EXPECT_EQ(reader.u16(), 0x0203);
  EXPECT_EQ(reader.u24(), 0x040506U);
  EXPECT_TRUE(reader.ok());
  EXPECT_EQ(reader.u16(), 0);
  EXPECT_FALSE(reader.ok());
  EXPECT_EQ(reader.u8(), 0) << "a failed reader yields nothing more, though a byte is left";
}

RC_GTEST_PROP(ByteReader, NeverLeavesItsBytes,
              (const std::vector<std::uint8_t>& data, const std::vector<std::uint8_t>& steps)) {
  ByteReader reader(data);
  for (const std::uint8_t step : steps) {
    const ByteView got = reader.bytes(step);
    RC_ASSERT(got.empty() ||
              (got.data() >= data.data() && got.data() + got.size() <= data.data() + data.size()));
    RC_ASSERT(reader.position() <= data.size());
  }
}

TEST(Arena, RefusesWhatDoesNotFitAndCountsIt) {
  Arena arena(64);
  EXPECT_NE(arena.allocate(40, 8), nullptr);
  EXPECT_EQ(arena.allocate(40, 8), nullptr);
  EXPECT_TRUE(arena.allocate_array<std::uint64_t>(std::numeric_limits<std::size_t>::max() / 4).empty());
  EXPECT_EQ(arena.failures(), 2U);
  arena.reset();
  EXPECT_NE(arena.allocate(64, 8), nullptr);
}

TEST(Json, WritesOneValidLine) {
  std::string out;
  JsonWriter json(out);
  json.begin_object().field("a", 1).field("b", "x\"\\\n\x01").field("c", true);
  json.key("d").begin_array().number(std::numeric_limits<std::uint64_t>::max()).number(-1).null().end_array();
  json.field("e", 0.5).end_object();
  EXPECT_EQ(out, R"({"a":1,"b":"x\"\\\n\u0001","c":true,"d":[18446744073709551615,-1,null],"e":0.5})");
}

RC_GTEST_PROP(Json, AnyBytesGiveAParsableStringOnOneLine, (const std::string& bytes)) {
  std::string out;
  append_json_string(out, bytes);
  RC_ASSERT(out.find('\n') == std::string::npos);
  RC_ASSERT(nlohmann::json::parse(out, nullptr, false).is_string());
}

// The short way, for what needs no escapes, against the long one.
RC_GTEST_PROP(Json, MembersAreTheSameHoweverTheyAreWritten, ()) {
  const auto size = *rc::gen::inRange<std::size_t>(0, 2 * JsonWriter::kMostPut);
  auto bytes = *rc::gen::container<std::string>(size, rc::gen::inRange<char>('!', 127));
  if (size != 0 && *rc::gen::arbitrary<bool>())
    bytes[*rc::gen::inRange<std::size_t>(0, size)] = *rc::gen::arbitrary<char>();
  std::string expected = "{\"name\":";
  append_json_string(expected, bytes);
  expected += ",\"name\":";
  append_json_string(expected, bytes);
  expected += '}';
  std::string out;
  JsonWriter(out).begin_object().field("name", bytes).field(std::string("name"), bytes).end_object();
  RC_ASSERT(out == expected);
}

// Values of every kind and length, objects within objects: parts that wait in the writer and such that do
// not.
RC_GTEST_PROP(Json, AnyTextReadsBackAsItWasWritten, ()) {
  std::string out;
  JsonWriter json(out);
  const auto text = [] {
    const auto size = *rc::gen::element<std::size_t>(0, 3, 7, 8, 40, JsonWriter::kMostPut, 57, 300, 1500);
    return *rc::gen::container<std::string>(size, rc::gen::inRange<char>(' ', 127));
  };
  const std::function<nlohmann::ordered_json(int)> write = [&](int depth) -> nlohmann::ordered_json {
    switch (*rc::gen::inRange(0, depth < 4 ? 8 : 6)) {
      case 0: {
        const std::string value = text();
        json.string(value);
        return value;
      }
      case 1:
        json.boolean(depth % 2 == 0);
        return depth % 2 == 0;
      case 2:
        json.null();
        return nullptr;
      case 3: {
        const auto value = *rc::gen::arbitrary<std::int64_t>();
        json.number(value);
        return value;
      }
      case 4: {
        const auto value = *rc::gen::arbitrary<double>();
        json.number(value);
        return value;
      }
      case 5:
        json.raw("[1,2]");
        return {1, 2};
      case 6: {
        auto array = nlohmann::ordered_json::array();
        json.begin_array();
        for (int left = *rc::gen::inRange(0, 30); left > 0; --left) array.push_back(write(depth + 1));
        json.end_array();
        return array;
      }
      default: {
        auto object = nlohmann::ordered_json::object();
        json.begin_object();
        for (int left = *rc::gen::inRange(0, 30); left > 0; --left) {
          const std::string name = std::to_string(left) + text();
          json.key(name);
          object[name] = write(depth + 1);
        }
        json.field("last", std::uint8_t{200}).key("end").null().end_object();
        object["last"] = 200;
        object["end"] = nullptr;
        return object;
      }
    }
  };
  const auto expected = write(0);
  RC_ASSERT(nlohmann::ordered_json::parse(out, nullptr, false) == expected);
}

TEST(Json, KeepsValidUtf8AndEscapesTheRest) {
  std::string out;
  append_json_string(out, "h\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80 \xff \xc0\xaf \xed\xa0\x80");
  EXPECT_EQ(out, "\"h\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80 \\u00ff \\u00c0\\u00af \\u00ed\\u00a0\\u0080\"");
}

TEST(Ip, ParsesAndRefuses) {
  EXPECT_EQ(IpAddress::parse("10.0.0.1")->to_string(), "10.0.0.1");
  EXPECT_EQ(IpAddress::parse("2001:DB8:0::1")->to_string(), "2001:db8::1");
  for (const char* bad : {"", "10.0.0", "10.0.0.256", "::g", "1.2.3.4.5", "fe80::1%eth0"})
    EXPECT_FALSE(IpAddress::parse(bad)) << bad;
  EXPECT_FALSE(IpAddress::parse(std::string_view("10.0.0.1\0x", 10)));
  for (const char* bad : {"10.0.0.1/8", "10.0.0.0/33", "::/129", "10.0.0.0/", "10.0.0.0/8x"})
    EXPECT_FALSE(IpPrefix::parse(bad)) << bad;
  EXPECT_EQ(IpPrefix::parse("10.0.0.0/8")->last().to_string(), "10.255.255.255");
  EXPECT_TRUE(IpPrefix::parse("::/0")->contains(*IpAddress::parse("::1")));
  EXPECT_FALSE(IpPrefix::parse("::/0")->contains(*IpAddress::parse("1.1.1.1")));
}

RC_GTEST_PROP(Ip, PrintThenParseIsTheSame, (std::array<std::uint8_t, 16> bytes, bool v6)) {
  const IpAddress a = IpAddress::from_bytes(ByteView(bytes).first(v6 ? 16 : 4));
  RC_ASSERT(IpAddress::parse(a.to_string()) == a);
}

RC_GTEST_PROP(Ip, DottedQuadsAreThoseOfInetPton, ()) {
  const auto text = *rc::gen::container<std::string>(rc::gen::elementOf(std::string("0125.")));
  std::array<std::uint8_t, 4> bytes{};
  const bool is_one = inet_pton(AF_INET, text.c_str(), bytes.data()) == 1;
  const auto a = IpAddress::parse(text);
  RC_ASSERT(a.has_value() == is_one);
  if (a) RC_ASSERT(*a == IpAddress::from_bytes(bytes));
}
TEST(Ip, EverySmallDottedQuadIsThatOfInetPton) {
  const std::array<const char*, 12> parts = {"0",   "00",   "1", "01", "10", "255",
                                             "256", "0255", "",  "-1", "1 ", "x"};
  std::array<std::uint8_t, 4> bytes{};
  for (std::size_t i = 0; i < 12 * 12 * 12 * 12; ++i) {
    const std::string text = std::string(parts[i % 12]) + '.' + parts[i / 12 % 12] + '.' +
                             parts[i / 144 % 12] + '.' + parts[i / 1728];
    const bool is_one = inet_pton(AF_INET, text.c_str(), bytes.data()) == 1;
    const auto a = IpAddress::parse(text);
    ASSERT_EQ(a.has_value(), is_one) << text;
    if (a) {
      ASSERT_EQ(*a, IpAddress::from_bytes(bytes)) << text;
    }
  }
}
RC_GTEST_PROP(Ip, OrderIsThatOfTheBytes, (std::array<std::uint8_t, 16> a, std::array<std::uint8_t, 16> b)) {
  RC_ASSERT((IpAddress::from_bytes(a) < IpAddress::from_bytes(b)) == (a < b));
  RC_ASSERT((IpAddress::from_bytes(a) == IpAddress::from_bytes(b)) == (a == b));
}

TEST(Time, EveFormIsFixedWidth) {
  std::string out;
  append_eve_timestamp(out, 1'795'293'000'123'456);
  EXPECT_EQ(out, "2026-11-21T20:30:00.123456+0000");
  out.clear();
  append_eve_timestamp(out, -1);
  EXPECT_EQ(out, "1969-12-31T23:59:59.999999+0000");
  out.clear();
  append_eve_timestamp(out, std::numeric_limits<std::int64_t>::max());
  EXPECT_EQ(out.size(), 31U);
}

TEST(Files, AtomicWriteReplacesWholeAndReadRefusesTooMuch) {
  char directory[] = "/tmp/gatehouse-core-XXXXXX";
  ASSERT_NE(::mkdtemp(directory), nullptr);
  const std::string path = std::string(directory) + "/f";
  ASSERT_TRUE(write_file_atomic(path, "first", 0600));
  ASSERT_TRUE(write_file_atomic(path, "second", 0600));
  EXPECT_EQ(*read_file(path), "second");
  EXPECT_EQ(read_file(path, 3).error().code, Errc::limit);
  EXPECT_EQ(read_file(path + "x").error().code, Errc::not_found);
  EXPECT_FALSE(write_file_atomic(std::string(directory) + "/none/f", "x"));
  struct stat info {};
  ASSERT_EQ(::stat(path.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777U, 0600U);
  ::unlink(path.c_str());
  ::rmdir(directory);
}

}  // namespace
}  // namespace gatehouse::core
