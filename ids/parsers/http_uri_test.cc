#include "ids/parsers/http_uri.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

namespace gatehouse::ids::http {
namespace {

struct TargetRow {
  std::string_view raw, normal;
};

TEST(HttpUri, NormalisesTargets) {
  constexpr TargetRow kRows[] = {
      {"/", "/"},
      {"/a%20b?c=%41+%2f%25x", "/a b?c=A+/%x"},
      {"/x%2fy", "/x/y"},
      {"/p%5cq\\r", "/p/q/r"},
      {"//d//./e/../f", "/d/f"},
      {"/..%2f../etc", "/etc"},
      {"/%u0041%u2215z", "/A/z"},
      {"/%uff21", "/A"},
      {"/plus+sign", "/plus+sign"},
      {"/%2541", "/%41"},
      {"/bad%zz%", "/bad%zz%"},
      {"/semi;p=1/x", "/semi;p=1/x"},
      {"/frag#x%41", "/frag#xA"},
      {"/trail/.", "/trail"},
      {"http://Host.Ex/abs/%41?q", "/abs/A?q"},
      {"?only", "?only"},
      {"rel/x", "rel/x"},
      {"/a?b=http://x/../y", "/a?b=http://x/../y"},
  };
  for (const TargetRow& row : kRows) EXPECT_EQ(parse_uri(row.raw, false, {}).target(), row.normal) << row.raw;
}

TEST(HttpUri, KeepsNulBytesOfThePath) {
  EXPECT_EQ(parse_uri("/n%00ul", false, {}).target(), std::string("/n\0ul", 5));
}

TEST(HttpUri, DecodesTwiceOnlyWhenAsked) {
  EXPECT_EQ(parse_uri("/%2541?%2542", false, {true, true}).target(), "/A?B");
  EXPECT_TRUE(parse_uri("/%2541", false, {}).double_encoded);
  EXPECT_FALSE(parse_uri("/%25", false, {}).double_encoded);
}

TEST(HttpUri, TakesTheServerFromTheTarget) {
  const Uri absolute = parse_uri("HTTP://user:pw@WWW.Example.org:8080/x", false, {});
  EXPECT_EQ(absolute.host, "www.example.org");
  EXPECT_EQ(absolute.port, 8080);
  const Uri authority = parse_uri("[2001:DB8::1]:443", true, {});
  EXPECT_EQ(authority.host, "[2001:db8::1]");
  EXPECT_EQ(authority.port, 443);
}

struct HostRow {
  std::string_view text, host;
  int port;
  bool valid;
};

TEST(HttpUri, SplitsHostAndPort) {
  constexpr HostRow kRows[] = {
      {"Example.ORG", "example.org", -1, true},
      {"example.org.:80", "example.org", 80, true},
      {"a:0", "a", -2, true},
      {"a:99999", "a", -2, true},
      {"a:b", "a", -2, true},
      {"[::1]:8000", "[::1]", 8000, true},
      {"[::1", "[::1", -1, false},
      {"a b", "a b", -1, false},
      {"a..b", "a..b", -1, false},
      {"", "", -1, false},
      {"under_score.x", "under_score.x", -1, true},
  };
  for (const HostRow& row : kRows) {
    const HostPort got = parse_host_port(row.text);
    EXPECT_EQ(got.host, row.host) << row.text;
    EXPECT_EQ(got.port, row.port) << row.text;
    EXPECT_EQ(got.valid, row.valid) << row.text;
  }
}

// A path without escapes is normal after one pass.
RC_GTEST_PROP(HttpUri, NormalisingIsIdempotent, ()) {
  const auto path = "/" + *rc::gen::container<std::string>(rc::gen::element('/', '.', 'a', '\\', ';'));
  const std::string once = normalise_path(path, false);
  RC_ASSERT(normalise_path(once, false) == once);
  RC_ASSERT(once.find("/../") == std::string::npos);
}

}  // namespace
}  // namespace gatehouse::ids::http
