#include "mac/ir/ir.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>

namespace gatehouse::mac {
namespace {

using site::Transport;
using testing::HasSubstr;

site::MacObject paths(const std::string& name, std::vector<std::string> patterns) {
  site::MacObject out;
  out.name = name;
  out.paths = std::move(patterns);
  out.where = {"s.yaml", 10, 3};
  return out;
}

site::Site make_site() {
  site::Site out;
  out.mac.objects = {paths("conf", {"/etc/**"}), paths("shadow", {"/etc/shadow"}),
                     paths("nginx", {"/etc/nginx/**"}), paths("flat", {"/srv/flat/*"}),
                     paths("logs", {"/var/log/web/**"})};
  site::MacObject web;
  web.name = "web-ports";
  web.ports.push_back({Transport::tcp, 80, 443, {}});
  out.mac.objects.push_back(web);
  site::MacDomain domain;
  domain.name = "web";
  domain.exec = "/usr/sbin/nginx";
  domain.where = {"s.yaml", 40, 3};
  domain.grants.push_back({{MacPermission::read}, {"conf", "flat"}, {"s.yaml", 42, 5}});
  domain.grants.push_back({{MacPermission::write, MacPermission::create}, {"logs"}, {"s.yaml", 43, 5}});
  domain.grants.push_back({{MacPermission::bind}, {"web-ports"}, {"s.yaml", 44, 5}});
  out.mac.domains.push_back(domain);
  return out;
}

Ir build(const site::Site& site) {
  core::Diagnostics diagnostics;
  auto ir = build_ir(site, diagnostics);
  EXPECT_TRUE(ir) << diagnostics.render_all();
  return ir.value_or(Ir{});
}

struct PathCase {
  const char* name;
  MacPermission permission;
  const char* path;
  bool allowed;
  const char* reason;
};

class DecidePath : public testing::TestWithParam<PathCase> {};

TEST_P(DecidePath, AsTheMostSpecificPatternSays) {
  const Ir ir = build(make_site());
  const auto decision = decide_path(ir, ir.domains[0], GetParam().permission, GetParam().path);
  ASSERT_TRUE(decision) << decision.error().to_string();
  EXPECT_EQ(decision->allowed, GetParam().allowed) << decision->reason;
  EXPECT_THAT(decision->reason, HasSubstr(GetParam().reason));
}

using P = MacPermission;
INSTANTIATE_TEST_SUITE_P(
    All, DecidePath,
    testing::Values(PathCase{"Granted", P::read, "/etc/hosts", true, "s.yaml:42:5"},
                    PathCase{"LiteralCarvesOut", P::read, "/etc/shadow", false, "`shadow`"},
                    PathCase{"SubtreeCarvesOut", P::read, "/etc/nginx/nginx.conf", false, "`nginx`"},
                    PathCase{"LiteralIsNotAPrefix", P::read, "/etc/shadow2", true, "/etc/**"},
                    PathCase{"SubtreeHasItsRoot", P::read, "/etc", true, "/etc/**"},
                    PathCase{"OtherPermission", P::write, "/etc/hosts", false, "no `write`"},
                    PathCase{"NobodysPath", P::read, "/home/x", false, "no object covers"},
                    PathCase{"EntryOfADirectory", P::read, "/srv/flat/a", true, "/srv/flat/*"},
                    PathCase{"NotDeeper", P::read, "/srv/flat/a/b", false, "no object covers"},
                    PathCase{"NotTheDirectory", P::read, "/srv/flat", false, "no object covers"},
                    PathCase{"WriteIncludesAppend", P::append, "/var/log/web/a", true, "`append`"},
                    PathCase{"CreateBelow", P::create, "/var/log/web/a", true, "s.yaml:43:5"},
                    PathCase{"CreateNotTheRoot", P::create, "/var/log/web", false, "no object covers"},
                    PathCase{"LooselyWritten", P::read, "//etc/./hosts/", true, "/etc/hosts"}),
    [](const auto& param_info) { return param_info.param.name; });

TEST(DecidePath, RefusesDotDotAndRelative) {
  const Ir ir = build(make_site());
  EXPECT_FALSE(decide_path(ir, ir.domains[0], P::read, "/etc/../root"));
  EXPECT_FALSE(decide_path(ir, ir.domains[0], P::read, "etc"));
  EXPECT_FALSE(decide_path(ir, ir.domains[0], P::bind, "/etc"));
}

TEST(DecidePort, ByRangeAndTransport) {
  const Ir ir = build(make_site());
  EXPECT_TRUE(decide_port(ir, ir.domains[0], P::bind, Transport::tcp, 443)->allowed);
  EXPECT_FALSE(decide_port(ir, ir.domains[0], P::bind, Transport::udp, 443)->allowed);
  EXPECT_FALSE(decide_port(ir, ir.domains[0], P::connect, Transport::tcp, 443)->allowed);
  EXPECT_FALSE(decide_port(ir, ir.domains[0], P::bind, Transport::tcp, 444)->allowed);
}

TEST(BuildIr, TiesAreErrors) {
  site::Site site = make_site();
  site.mac.objects.push_back(paths("again", {"/etc//nginx/**"}));
  core::Diagnostics diagnostics;
  EXPECT_FALSE(build_ir(site, diagnostics));
  ASSERT_EQ(diagnostics.all().size(), 1U);
  EXPECT_EQ(diagnostics.all()[0].code, "mac-tie");
  EXPECT_THAT(diagnostics.all()[0].message, HasSubstr("/etc/nginx/**"));
}

TEST(BuildIr, UnknownNamesAreErrors) {
  site::Site site = make_site();
  site.mac.domains[0].grants[0].objects.push_back("cnof");
  site.mac.domains[0].transitions.push_back({"/bin/sh", "nowhere", {}});
  core::Diagnostics diagnostics;
  EXPECT_FALSE(build_ir(site, diagnostics));
  EXPECT_EQ(diagnostics.error_count(), 2U);
}

// The lookup by ancestors must find what trying every pattern finds.
RC_GTEST_PROP(LabelOf, AgreesWithTryingEveryPattern, ()) {
  const auto random_path = [] {
    std::string out;
    const int depth = *rc::gen::inRange(1, 5);
    for (int i = 0; i < depth; ++i) out += *rc::gen::elementOf(std::vector<std::string>{"/a", "/b", "/ab"});
    return out;
  };
  site::Site site;
  const int count = *rc::gen::inRange(1, 8);
  std::vector<std::string> used;
  for (int i = 0; i < count; ++i) {
    std::string text = random_path() + *rc::gen::elementOf(std::vector<std::string>{"", "/*", "/**"});
    if (*rc::gen::inRange(0, 10) == 0) text = "/**";
    if (std::find(used.begin(), used.end(), text) != used.end()) continue;
    used.push_back(text);
    site.mac.objects.push_back(paths("o" + std::to_string(i), {text}));
  }
  const Ir ir = build(site);
  const std::string path = random_path();
  for (const P permission : {P::read, P::create}) {
    const PathLabel* best = nullptr;
    for (const PathLabel& label : ir.paths) {
      if (!label.pattern.matches(path)) continue;
      if (permission == P::create && label.pattern.kind == Pattern::Kind::subtree &&
          label.pattern.path == path)
        continue;
      if (best == nullptr || more_specific(label.pattern, best->pattern)) best = &label;
    }
    RC_ASSERT(ir.label_of(path, permission) == best);
  }
}

}  // namespace
}  // namespace gatehouse::mac
