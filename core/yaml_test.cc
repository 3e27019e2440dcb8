#include "core/yaml.h"

#include <gtest/gtest.h>

namespace gatehouse::core {
namespace {

struct Parsed {
  Diagnostics diagnostics;
  std::optional<YamlNode> root;
};

Parsed parse(const std::string& text) {
  Parsed out;
  out.root = parse_yaml(SourceText("f.yaml", text), out.diagnostics);
  return out;
}

TEST(Yaml, KeepsPositionsOfKeysAndValues) {
  const Parsed p = parse("a: 1\nb:\n  - x\n  - {c: d}\n");
  ASSERT_TRUE(p.root);
  const YamlNode* b = p.root->find("b");
  ASSERT_NE(b, nullptr);
  EXPECT_EQ(b->items[0].where, (SourcePos{"f.yaml", 3, 5}));
  EXPECT_EQ(b->items[1].keys[0].where, (SourcePos{"f.yaml", 4, 6}));
  EXPECT_EQ(b->items[1].items[0].where, (SourcePos{"f.yaml", 4, 9}));
}

TEST(Yaml, AnEmptyTextHasAPosition) {
  const Parsed p = parse("");
  ASSERT_TRUE(p.root);
  EXPECT_TRUE(p.root->is_null());
  EXPECT_EQ(p.root->where, (SourcePos{"f.yaml", 1, 1}));
}

TEST(Yaml, ReadsJson) {
  const Parsed p = parse("{\n \"settings\": {\"a.b\": \"x\", \"c\": 1, \"d\": true, \"e\": [1, 2]}\n}\n");
  ASSERT_TRUE(p.root) << p.diagnostics.render_all();
  EXPECT_EQ(p.root->find("settings")->find("e")->items.size(), 2U);
}

TEST(Yaml, PlainWordsStayText) {
  Parsed p = parse("a: no\nb: 22:22\nc: \"yes\"\n");
  ASSERT_TRUE(p.root);
  EXPECT_EQ(p.root->find("a")->text, "no");
  EXPECT_EQ(p.root->find("b")->text, "22:22");
  EXPECT_EQ(yaml_bool(*p.root->find("a"), p.diagnostics), false);
}

TEST(Yaml, RefusesWhatItDoesNotSupport) {
  for (const char* text : {"a: &x 1\n", "a: *x\n", "a: !!int 1\n", "a: 1\na: 2\n", "a: 1\n---\nb: 2\n",
                           "a: [1\n", "? [1]\n: 2\n", "a:\tb: c\n"}) {
    const Parsed p = parse(text);
    EXPECT_FALSE(p.root) << text;
    EXPECT_TRUE(p.diagnostics.has_errors()) << text;
  }
}

TEST(Yaml, RefusesWhatIsNoText) {
  // At the byte of 4 yaml-cpp would end and never see the rest.
  for (const char* bytes : {"\xf9", "\xed\xa0\x80", "\xc3", "\x01", "\x1b[2J", "\x04\nc: [", "\xff\xfe"}) {
    const Parsed p = parse("a: 1\nb: \xc3\xa9" + std::string(bytes));
    ASSERT_FALSE(p.root) << bytes;
    ASSERT_EQ(p.diagnostics.error_count(), 1U);
    EXPECT_EQ(p.diagnostics.all()[0].code, "yaml-characters");
    EXPECT_EQ(p.diagnostics.all()[0].where.line, 2U);
    EXPECT_EQ(p.diagnostics.all()[0].where.column, 6U);
  }
  const std::string nul("a: \0", 4);
  EXPECT_FALSE(parse(nul).root);
  // What a JSON text may hold in quotes, it may hold here.
  const Parsed p = parse("\xef\xbb\xbf{\"a\": \"\xc2\x85\x7f\xef\xbf\xbf\"}\r\n");
  ASSERT_TRUE(p.root) << p.diagnostics.render_all();
  EXPECT_EQ(p.root->find("a")->text, "\xc2\x85\x7f\xef\xbf\xbf");
}

TEST(Yaml, RefusesDeepNesting) {
  const Parsed p = parse(std::string(200, '[') + std::string(200, ']'));
  EXPECT_FALSE(p.root);
  EXPECT_TRUE(p.diagnostics.has_errors());
}

TEST(MapReader, ReportsUnknownMissingAndIllTypedKeys) {
  Parsed p = parse("nmae: x\ncount: many\nflag: maybe\nsize: 3 parsecs\n");
  ASSERT_TRUE(p.root);
  MapReader map(*p.root, "thing", p.diagnostics);
  EXPECT_EQ(map.required_string("name"), "");
  EXPECT_EQ(map.uint("count", 7, 0, 10), 7U);
  EXPECT_TRUE(map.boolean("flag", true));
  EXPECT_EQ(map.size("size", 5), 5U);
  map.finish();
  std::vector<std::string> codes;
  for (const Diagnostic& d : p.diagnostics.all()) codes.push_back(d.code);
  EXPECT_EQ(codes,
            (std::vector<std::string>{"missing-key", "bad-value", "bad-value", "bad-value", "unknown-key"}));
  EXPECT_EQ(p.diagnostics.all().back().hint, "did you mean `name`?");
}

TEST(Scalars, DurationsAndSizes) {
  Parsed p = parse("[250ms, 90s, 5m, 2h, 3, 1 MiB, 64 KiB, 2gb, 4096]");
  ASSERT_TRUE(p.root);
  const auto& v = p.root->items;
  EXPECT_EQ(yaml_duration_us(v[0], p.diagnostics), 250'000U);
  EXPECT_EQ(yaml_duration_us(v[1], p.diagnostics), 90'000'000U);
  EXPECT_EQ(yaml_duration_us(v[2], p.diagnostics), 300'000'000U);
  EXPECT_EQ(yaml_duration_us(v[3], p.diagnostics), 7'200'000'000U);
  EXPECT_EQ(yaml_duration_us(v[4], p.diagnostics), 3'000'000U);
  EXPECT_EQ(yaml_size(v[5], p.diagnostics), 1048576U);
  EXPECT_EQ(yaml_size(v[6], p.diagnostics), 65536U);
  EXPECT_EQ(yaml_size(v[7], p.diagnostics), 2147483648U);
  EXPECT_EQ(yaml_size(v[8], p.diagnostics), 4096U);
  EXPECT_FALSE(p.diagnostics.has_errors());
}

TEST(Yaml, ReadsDaysAndMoments) {
  Parsed p = parse("[1970-01-01, 2024-02-29, 2027-01-31T12:00Z, 2027-01-31T12:00:01Z]");
  ASSERT_TRUE(p.root);
  const auto& v = p.root->items;
  EXPECT_EQ(yaml_time_us(v[0], p.diagnostics), 86'399'999'999);
  EXPECT_EQ(yaml_time_us(v[1], p.diagnostics), 1'709'251'199'999'999);
  EXPECT_EQ(yaml_time_us(v[2], p.diagnostics), 1'801'396'800'000'000);
  EXPECT_EQ(yaml_time_us(v[3], p.diagnostics), 1'801'396'801'000'000);
  EXPECT_FALSE(p.diagnostics.has_errors());
  for (const char* text :
       {"2023-02-29", "2023-13-01", "2023-00-01", "2023-1-1", "2023-01-01 12:00", "x", "1969-12-31",
        "2023-01-01T24:00Z", "2023-01-01T12:60Z", "2023-01-01T12:00", "2023-04-31"}) {
    Parsed bad = parse(std::string("[\"") + text + "\"]");
    ASSERT_TRUE(bad.root);
    EXPECT_FALSE(yaml_time_us(bad.root->items[0], bad.diagnostics)) << text;
    EXPECT_TRUE(bad.diagnostics.has_errors()) << text;
  }
}

}  // namespace
}  // namespace gatehouse::core
