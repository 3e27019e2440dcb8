#include "mac/check/check.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <sstream>

#include "core/os.h"
#include "site/load/load.h"

namespace gatehouse::mac {
namespace {

using testing::Contains;
using testing::HasSubstr;

struct Loaded {
  site::Site site;
  Ir ir;
};

Loaded make(const std::function<void(site::Site&)>& change = nullptr) {
  site::Site site;
  site.file = "s.yaml";
  site::MacObject code;
  code.name = "code";
  code.paths = {"/usr/**"};
  site::MacObject data;
  data.name = "data";
  data.paths = {"/srv/data/**"};
  site.mac.objects = {code, data};
  site::MacDomain domain;
  domain.name = "web";
  domain.exec = "/usr/sbin/nginx";
  domain.where = {"s.yaml", 5, 1};
  domain.grants.push_back({{MacPermission::read, MacPermission::execute}, {"code"}, {"s.yaml", 6, 1}});
  domain.grants.push_back({{MacPermission::write}, {"data"}, {"s.yaml", 7, 1}});
  site.mac.domains = {domain};
  if (change) change(site);
  core::Diagnostics diagnostics;
  auto ir = build_ir(site, diagnostics);
  EXPECT_TRUE(ir) << diagnostics.render_all();
  return {std::move(site), ir.value_or(Ir{})};
}

std::vector<std::string> codes(const core::Diagnostics& diagnostics) {
  std::vector<std::string> out;
  for (const core::Diagnostic& d : diagnostics.all()) out.push_back(d.code);
  return out;
}

TEST(CheckPolicy, PassesWhenNothingIsWrong) {
  const Loaded l = make([](site::Site& s) {
    s.mac.nevers.push_back({{MacPermission::read}, "data", {}, {}});
  });
  core::Diagnostics diagnostics;
  check_policy(l.site, l.ir, diagnostics);
  EXPECT_FALSE(diagnostics.has_errors()) << diagnostics.render_all();
}

TEST(CheckPolicy, NeverIsFoundAtTheGrant) {
  // `append` is part of the granted `write`.
  const Loaded l = make([](site::Site& s) {
    s.mac.nevers.push_back({{MacPermission::append}, "data", {}, {"s.yaml", 20, 1}});
  });
  core::Diagnostics diagnostics;
  check_policy(l.site, l.ir, diagnostics);
  ASSERT_EQ(codes(diagnostics), std::vector<std::string>{"mac-never"});
  EXPECT_EQ(diagnostics.all()[0].where.line, 7U);
  EXPECT_THAT(diagnostics.all()[0].hint, HasSubstr("s.yaml:20:1"));
}

TEST(CheckPolicy, NeverHasExceptions) {
  const Loaded l = make([](site::Site& s) {
    s.mac.nevers.push_back({{MacPermission::write}, "data", {"web"}, {}});
  });
  core::Diagnostics diagnostics;
  check_policy(l.site, l.ir, diagnostics);
  EXPECT_FALSE(diagnostics.has_errors());
}

TEST(CheckPolicy, EntryProgramMustBeExecutable) {
  const Loaded l = make([](site::Site& s) { s.mac.domains[0].exec = "/opt/nginx"; });
  core::Diagnostics diagnostics;
  check_policy(l.site, l.ir, diagnostics);
  EXPECT_THAT(codes(diagnostics), Contains("mac-entry"));
}

TEST(CheckBackend, UnacceptedGapsAreErrors) {
  const Backend* backend = find_backend("landlock");
  ASSERT_NE(backend, nullptr);
  const Loaded bare = make();
  core::Diagnostics diagnostics;
  const auto residuals = check_backend(bare.site, bare.ir, *backend, {7}, diagnostics);
  ASSERT_TRUE(residuals);
  EXPECT_EQ(residuals->size(), 2U);
  EXPECT_THAT(codes(diagnostics), testing::UnorderedElementsAre("landlock-udp", "landlock-tcp-paths"));

  const Loaded accepting = make([](site::Site& s) {
    s.mac.accept_gaps = {"landlock-udp", "landlock-tcp-paths"};
  });
  core::Diagnostics none;
  ASSERT_TRUE(check_backend(accepting.site, accepting.ir, *backend, {7}, none));
  EXPECT_TRUE(none.all().empty()) << none.render_all();
}

TEST(CheckBackend, AnOlderKernelHasMoreGaps) {
  const Backend* backend = find_backend("landlock");
  const Loaded l = make();
  core::Diagnostics diagnostics;
  ASSERT_TRUE(check_backend(l.site, l.ir, *backend, {2}, diagnostics));
  for (const char* code :
       {"landlock-no-truncate", "landlock-no-tcp", "landlock-no-ioctl", "landlock-no-scope"}) {
    EXPECT_THAT(codes(diagnostics), Contains(code));
  }
}

TEST(CheckBackend, StaleAcceptanceIsAWarning) {
  const Loaded l = make([](site::Site& s) {
    s.mac.accept_gaps = {"landlock-udp", "landlock-tcp-paths", "landlock-append"};
  });
  core::Diagnostics diagnostics;
  ASSERT_TRUE(check_backend(l.site, l.ir, *find_backend("landlock"), {7}, diagnostics));
  EXPECT_EQ(codes(diagnostics), std::vector<std::string>{"stale-gap"});
}

class ShippedSite : public testing::Test {
 protected:
  void SetUp() override {
    core::Diagnostics diagnostics;
    auto loaded = site::load_site_file(kSite, diagnostics);
    ASSERT_TRUE(loaded && *loaded) << diagnostics.render_all();
    site_ = std::move(**loaded);
    auto ir = build_ir(site_, diagnostics);
    ASSERT_TRUE(ir) << diagnostics.render_all();
    ir_ = std::move(*ir);
  }
  const std::string kSite = std::string(GATEHOUSE_SOURCE_DIR) + "/rules/site/web-mail.yaml";
  const std::string kExpected = std::string(GATEHOUSE_SOURCE_DIR) + "/rules/mac/web-mail";
  site::Site site_;
  Ir ir_;
};

TEST_F(ShippedSite, HoldsUnderLandlock) {
  core::Diagnostics diagnostics;
  check_policy(site_, ir_, diagnostics);
  ASSERT_TRUE(check_backend(site_, ir_, *find_backend("landlock"), {7}, diagnostics));
  EXPECT_TRUE(diagnostics.all().empty()) << diagnostics.render_all();
}

TEST_F(ShippedSite, AnswersItsQueries) {
  const auto text = core::read_file(kExpected + ".queries");
  ASSERT_TRUE(text) << text.error().to_string();
  std::istringstream lines(*text);
  std::string line;
  int asked = 0;
  while (std::getline(lines, line)) {
    if (line.empty() || line[0] == '#') continue;
    std::istringstream words(line);
    std::string domain_name, permission_name, what, verdict;
    ASSERT_TRUE(words >> domain_name >> permission_name >> what >> verdict) << line;
    const IrDomain* domain = ir_.find_domain(domain_name);
    const auto permission = site::parse_mac_permission(permission_name);
    ASSERT_TRUE(domain != nullptr && permission) << line;
    core::Result<Decision> decision = tl::make_unexpected(core::Error{});
    if (is_network(*permission)) {
      const bool udp = what.rfind("udp/", 0) == 0;
      if (what.find('/') != std::string::npos) what = what.substr(4);
      decision = decide_port(ir_, *domain, *permission, udp ? site::Transport::udp : site::Transport::tcp,
                             static_cast<std::uint16_t>(std::stoi(what)));
    } else {
      decision = decide_path(ir_, *domain, *permission, what);
    }
    ASSERT_TRUE(decision) << line;
    EXPECT_EQ(decision->allowed ? "allow" : "deny", verdict) << line << ": " << decision->reason;
    ++asked;
  }
  EXPECT_GT(asked, 20);
}

TEST_F(ShippedSite, CompilesToTheTextBesideIt) {
  const auto compiled = find_backend("landlock")->compile(ir_, *ir_.find_domain("web"), {7});
  ASSERT_TRUE(compiled);
  EXPECT_EQ(compiled->text, core::read_file(kExpected + ".web.landlock").value_or(""))
      << "update with: mac compile rules/site/web-mail.yaml web --abi 7 | grep -v '^#'";
}

}  // namespace
}  // namespace gatehouse::mac
