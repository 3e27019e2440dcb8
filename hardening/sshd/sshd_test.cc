#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <functional>

#include "core/os.h"
#include "hardening/sshd/authority.h"
#include "hardening/sshd/config.h"

namespace gatehouse::hardening {
namespace {

using testing::HasSubstr;
using testing::Not;

site::Site make_site() {
  site::Site out;
  out.name = "test";
  out.administration.emplace();
  out.administration->certificate_authority = "/etc/gatehouse/ssh/user-ca.pub";
  out.groups.push_back({"web-team", {"ana", "bo"}, {}});
  out.groups.push_back({"operations", {"cy"}, {}});
  out.roles.push_back({"web-admin", "web-team", "web-shell", "webadm", {}, {"site.yaml", 7, 3}});
  out.roles.push_back({"web-reader", "operations", "web-shell", "webadm", {}, {}});
  out.roles.push_back({"operator", "operations", "operator-shell", "oper", {}, {}});
  return out;
}

class TemporaryDirectory {
 public:
  TemporaryDirectory() {
    char pattern[] = "/tmp/gh-sshd-XXXXXX";
    if (mkdtemp(pattern) != nullptr) path_ = pattern;
  }
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;
  ~TemporaryDirectory() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

const GeneratedFile* find(const SshdPlan& plan, const std::string& name) {
  const auto at = std::find_if(plan.files.begin(), plan.files.end(),
                               [&](const GeneratedFile& f) { return f.name == name; });
  return at == plan.files.end() ? nullptr : &*at;
}

TEST(Sshd, WritesPrincipalsByAccount) {
  core::Diagnostics diagnostics;
  const auto plan = plan_sshd(make_site(), {}, diagnostics);
  ASSERT_TRUE(plan) << diagnostics.render_all();
  ASSERT_NE(find(*plan, "principals/webadm"), nullptr);
  EXPECT_EQ(find(*plan, "principals/webadm")->content, "web-admin\nweb-reader\n");
  EXPECT_EQ(find(*plan, "principals/oper")->content, "operator\n");
  const std::string& config = find(*plan, "sshd_config")->content;
  for (const char* line :
       {"\nAuthorizedKeysFile none\n", "\nPasswordAuthentication no\n", "\nKbdInteractiveAuthentication no\n",
        "\nPermitRootLogin no\n", "\nAllowUsers oper webadm\n", "\nDisableForwarding yes\n",
        "\nTrustedUserCAKeys /etc/gatehouse/ssh/user-ca.pub\n", "\nLogLevel VERBOSE\n"}) {
    EXPECT_THAT(config, HasSubstr(line));
  }
}

TEST(Sshd, RefusesWhatWouldOpenADoor) {
  const auto refused = [](const std::function<void(site::Site&)>& change, const char* code) {
    site::Site site = make_site();
    change(site);
    core::Diagnostics diagnostics;
    EXPECT_FALSE(plan_sshd(site, {}, diagnostics)) << code;
    ASSERT_FALSE(diagnostics.all().empty()) << code;
    EXPECT_EQ(diagnostics.all()[0].code, code);
  };
  refused([](site::Site& s) { s.roles[0].account = "root"; }, "sshd-root");
  refused([](site::Site& s) { s.roles[0].account = "web adm"; }, "sshd-name");
  refused([](site::Site& s) { s.roles[0].account = "../etc"; }, "sshd-name");
  refused([](site::Site& s) { s.roles[0].name = "*"; }, "sshd-name");
  refused([](site::Site& s) { s.roles.clear(); }, "sshd-no-role");
  refused([](site::Site& s) { s.administration.reset(); }, "sshd-no-administration");
  refused([](site::Site& s) { s.administration->certificate_authority = "/etc/x\nPermitRootLogin yes"; },
          "sshd-path");
}

// Where an sshd may be found: installed, or unpacked for the tests.
// Where ./test and ./demo unpack servers that are not installed (tools/deps --unpack).
const std::string kUnpacked = std::string(GATEHOUSE_SOURCE_DIR) + "/build/demo-servers";

std::string find_sshd() {
  const char* given = std::getenv("GATEHOUSE_SSHD");
  for (const std::string& path : {std::string(given == nullptr ? "" : given), std::string("/usr/sbin/sshd"),
                                  kUnpacked + "/usr/sbin/sshd"}) {
    if (!path.empty() && access(path.c_str(), X_OK) == 0) return path;
  }
  return {};
}

TEST(Sshd, RealSshdTakesTheConfiguration) {
  const std::string sshd = find_sshd();
  if (sshd.empty()) GTEST_SKIP() << "no sshd on this machine; name one in GATEHOUSE_SSHD";
  if (geteuid() != 0) GTEST_SKIP() << "needs root for a mount namespace of its own";
  const TemporaryDirectory directory;
  site::Site site = make_site();
  site.administration->certificate_authority = directory.path() + "/ca/user-ca.pub";
  ASSERT_TRUE(init_authority(directory.path() + "/ca"));
  SshdOptions options;
  options.installed_at = directory.path();
  core::Diagnostics diagnostics;
  const auto plan = plan_sshd(site, options, diagnostics);
  ASSERT_TRUE(plan);
  ASSERT_TRUE(core::make_directories(directory.path() + "/principals"));
  for (const GeneratedFile& f : plan->files)
    ASSERT_TRUE(core::write_file_atomic(directory.path() + "/" + f.name, f.content));
  const std::string keygen =
      fmt::format("ssh-keygen -q -t ed25519 -N '' -f {}/ssh_host_ed25519_key", directory.path());
  ASSERT_EQ(std::system(keygen.c_str()), 0);
  // sshd insists on its unprivileged user and on /run/sshd: both are given in a mount namespace of
  // its own, so nothing of the machine changes. -T checks and then prints what is in force.
  const std::string passwd = directory.path() + "/passwd";
  ASSERT_TRUE(core::write_file_atomic(passwd, core::read_file("/etc/passwd").value_or("") +
                                                  "sshd:x:65533:65534::/run/sshd:/usr/sbin/nologin\n"));
  const std::string out = directory.path() + "/out";
  const std::string command = fmt::format(
      "unshare -m sh -ec 'mount --bind {} /etc/passwd; mount -t tmpfs none /run; mkdir /run/sshd; "
      "LD_LIBRARY_PATH=$(echo {}/lib/*-linux-gnu {}/usr/lib/*-linux-gnu | tr \" \" :) exec {} -T -f "
      "{}/sshd_config' "
      "> {} 2>&1",
      passwd, kUnpacked, kUnpacked, sshd, directory.path(), out);
  const int status = std::system(command.c_str());
  const std::string said = core::read_file(out).value_or("");
  EXPECT_EQ(status, 0) << said;
  for (const char* line : {"passwordauthentication no", "kbdinteractiveauthentication no",
                           "permitrootlogin no", "authorizedkeysfile none", "disableforwarding yes",
                           "allowusers oper", "authenticationmethods publickey"}) {
    EXPECT_THAT(said, HasSubstr(line));
  }
}

class Authority : public testing::Test {
 protected:
  void SetUp() override {
    if (access("/usr/bin/ssh-keygen", X_OK) != 0) GTEST_SKIP() << "ssh-keygen is not installed";
    ASSERT_TRUE(init_authority(ca()));
    const std::string keygen = fmt::format("ssh-keygen -q -t ed25519 -N '' -f {}/id", directory_.path());
    ASSERT_EQ(std::system(keygen.c_str()), 0);
  }
  std::string ca() const { return directory_.path() + "/ca"; }
  SignRequest request(const std::string& role, const std::string& person) const {
    return {ca(), role, person, directory_.path() + "/id.pub", 3600ULL * 1'000'000};
  }
  TemporaryDirectory directory_;
};

TEST_F(Authority, SignsForAMemberOfTheGroup) {
  const auto certificate = sign_certificate(make_site(), request("web-admin", "ana"));
  ASSERT_TRUE(certificate) << certificate.error().to_string();
  const std::string out = directory_.path() + "/out";
  ASSERT_EQ(std::system(fmt::format("ssh-keygen -L -f {} > {}", *certificate, out).c_str()), 0);
  const std::string said = core::read_file(out).value_or("");
  EXPECT_THAT(said, HasSubstr("Key ID: \"ana:web-admin\""));
  EXPECT_THAT(said, HasSubstr("Principals: \n                web-admin\n"));
  EXPECT_THAT(said, HasSubstr("permit-pty"));
  EXPECT_THAT(said, Not(HasSubstr("forwarding")));
  EXPECT_THAT(said, Not(HasSubstr("Valid: forever")));
}

TEST_F(Authority, RefusesOthers) {
  const site::Site site = make_site();
  const auto stranger = sign_certificate(site, request("web-admin", "cy"));
  ASSERT_FALSE(stranger);
  EXPECT_EQ(stranger.error().code, core::Errc::permission);
  EXPECT_FALSE(sign_certificate(site, request("web-amin", "ana")));
  EXPECT_FALSE(sign_certificate(site, request("web-admin", "-O")));
  SignRequest too_long = request("web-admin", "ana");
  too_long.valid_us = kLongestValidityUs + 1;
  EXPECT_FALSE(sign_certificate(site, too_long));
  SignRequest private_key = request("web-admin", "ana");
  private_key.public_key = directory_.path() + "/id";
  EXPECT_FALSE(sign_certificate(site, private_key));
  EXPECT_NE(access((directory_.path() + "/id-cert.pub").c_str(), F_OK), 0) << "nothing was signed";
}

TEST_F(Authority, IsNeverOverwritten) {
  const auto again = init_authority(ca());
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().code, core::Errc::conflict);
  struct stat info {};
  ASSERT_EQ(stat(ca().c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777U, 0700U);
}

}  // namespace
}  // namespace gatehouse::hardening
