// The kernel against the evaluator: random policies over a small tree, every permission tried on
// every path by a confined child. Where they differ, a residual must say so, in that direction and
// for that path.
#include <arpa/inet.h>
#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <random>

#include "core/landlock.h"
#include "core/os.h"
#include "mac/backends/landlock_plan.h"

namespace gatehouse::mac {
namespace {

using P = MacPermission;
using testing::HasSubstr;

site::MacObject object_of(const std::string& name, std::vector<std::string> patterns) {
  site::MacObject out;
  out.name = name;
  out.paths = std::move(patterns);
  return out;
}

Ir build(const site::Site& site) {
  core::Diagnostics diagnostics;
  auto ir = build_ir(site, diagnostics);
  EXPECT_TRUE(ir) << diagnostics.render_all();
  return ir.value_or(Ir{});
}

struct Probe {
  P permission = P::read;
  std::string path;
  bool by_truncating = false;  // `write` has two faces
};

int open_error(const std::string& path, int flags) {
  const core::UniqueFd fd(open(path.c_str(), flags | O_CLOEXEC));
  return fd.valid() ? 0 : errno;
}

int list_error(const std::string& path) {
  DIR* directory = opendir(path.c_str());
  if (directory == nullptr) return errno;
  closedir(directory);
  return 0;
}

// The files are no programs: ENOEXEC means that executing was allowed.
int execute_error(const std::string& path) {
  const pid_t child = fork();
  if (child == 0) {
    const char* const argv[] = {path.c_str(), nullptr};
    const char* const environment[] = {nullptr};
    execve(path.c_str(), const_cast<char* const*>(argv), const_cast<char* const*>(environment));
    _exit(errno == ENOEXEC ? 0 : errno);
  }
  int status = 0;
  (void)waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 255;
}

// 0 or an errno. Creating and removing change the tree, so the caller orders them last.
int try_probe(const Probe& probe) {
  const char* path = probe.path.c_str();
  switch (probe.permission) {
    case P::read:
      return open_error(probe.path, O_RDONLY);
    case P::write:
      if (probe.by_truncating) return truncate(path, 1) == 0 ? 0 : errno;
      return open_error(probe.path, O_WRONLY);
    case P::append:
      return open_error(probe.path, O_WRONLY | O_APPEND);
    case P::list:
      return list_error(probe.path);
    case P::execute:
      return execute_error(probe.path);
    case P::create: {
      const int made = mknod(path, S_IFREG | 0600, 0) == 0 ? 0 : errno;
      const int directory = mkdir((probe.path + "-dir").c_str(), 0700) == 0 ? 0 : errno;
      return made == directory ? made : 254;
    }
    case P::remove:
      return unlink(path) == 0 ? 0 : errno;
    case P::bind:
    case P::connect:
      break;
  }
  return 255;
}

class Tree {
 public:
  Tree() {
    char pattern[] = "/tmp/gh-mac-XXXXXX";
    if (mkdtemp(pattern) != nullptr) root_ = pattern;
    rebuild();
  }
  Tree(const Tree&) = delete;
  Tree& operator=(const Tree&) = delete;
  ~Tree() { remove(); }

  const std::string& root() const { return root_; }
  std::vector<std::string> directories() const {
    return {root_,        root_ + "/a",     root_ + "/a/sub", root_ + "/a/sub/deep",
            root_ + "/b", root_ + "/b/sub", root_ + "/flat",  root_ + "/flat/d"};
  }
  std::vector<std::string> files() const {
    return {root_ + "/top",           root_ + "/a/f1",     root_ + "/a/f2",     root_ + "/a/sub/g1",
            root_ + "/a/sub/deep/h1", root_ + "/b/x1",     root_ + "/b/sub/y1", root_ + "/flat/e1",
            root_ + "/flat/e2",       root_ + "/flat/d/z1"};
  }
  std::vector<Probe> probes() const {
    std::vector<Probe> out;
    for (const std::string& file : files()) {
      for (const P p : {P::read, P::write, P::append, P::execute}) out.push_back({p, file});
      out.push_back({P::write, file, true});
    }
    for (const std::string& directory : directories()) out.push_back({P::list, directory});
    for (const std::string& directory : directories()) out.push_back({P::create, directory + "/new"});
    for (const std::string& file : files()) out.push_back({P::remove, file});
    return out;
  }
  void rebuild() {
    remove();
    for (const std::string& directory : directories()) (void)mkdir(directory.c_str(), 0755);
    for (const std::string& file : files()) {
      const core::UniqueFd fd(open(file.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0755));
      (void)core::write_all(fd.get(), "no program\n", file);
    }
  }

 private:
  void remove() {
    std::error_code ignored;
    std::filesystem::remove_all(root_, ignored);
  }
  std::string root_;
};

// The errno of each probe, seen by a child under the plan (or free, for the control).
std::vector<int> run_probes(const LandlockPlan* plan, const std::vector<Probe>& probes) {
  std::array<int, 2> ends{};
  if (pipe2(ends.data(), O_CLOEXEC) != 0) return {};
  core::UniqueFd reader(ends[0]);
  core::UniqueFd writer(ends[1]);
  const pid_t child = fork();
  if (child == 0) {
    if (plan != nullptr && !apply_landlock(*plan)) _exit(1);
    std::string out;
    for (const Probe& probe : probes) out += static_cast<char>(try_probe(probe));
    _exit(core::write_all(writer.get(), out, "pipe") ? 0 : 1);
  }
  writer.reset();
  std::vector<int> results;
  unsigned char byte = 0;
  while (read(reader.get(), &byte, 1) == 1) results.push_back(byte);
  int status = 0;
  (void)waitpid(child, &status, 0);
  return results;
}

bool declared(const LandlockPlan& plan, Residual::Kind kind, const std::string& path) {
  return std::any_of(plan.residuals.begin(), plan.residuals.end(), [&](const Residual& r) {
    if (r.kind != kind || r.subject.empty() || r.subject[0] != '/') return false;
    const auto pattern = Pattern::parse(r.subject);
    return pattern && pattern->matches(path);
  });
}

struct Tally {
  std::size_t agree = 0;
  std::size_t declared_stronger = 0;
  std::size_t declared_weaker = 0;
  std::size_t denials = 0;
};

void compare(const Ir& ir, const LandlockPlan& plan, const std::vector<Probe>& probes,
             const std::vector<int>& seen, Tally& tally) {
  ASSERT_EQ(seen.size(), probes.size());
  for (std::size_t i = 0; i < probes.size(); ++i) {
    const Probe& probe = probes[i];
    ASSERT_TRUE(seen[i] == 0 || seen[i] == EACCES)
        << probe.path << " " << site::to_string(probe.permission) << ": " << seen[i];
    const auto decision = decide_path(ir, ir.domains[0], probe.permission, probe.path);
    ASSERT_TRUE(decision);
    const bool kernel = seen[i] == 0;
    tally.denials += kernel ? 0 : 1;
    if (kernel == decision->allowed) {
      ++tally.agree;
    } else if (!kernel && declared(plan, Residual::Kind::stronger, probe.path)) {
      ++tally.declared_stronger;
    } else if (kernel && probe.permission == P::write && !probe.by_truncating &&
               declared(plan, Residual::Kind::weaker, probe.path)) {
      ++tally.declared_weaker;
    } else {
      ADD_FAILURE() << fmt::format("{} {}: kernel {}, evaluator {}\n{}\n{}",
                                   site::to_string(probe.permission), probe.path,
                                   kernel ? "allows" : "denies", decision->allowed ? "allows" : "denies",
                                   decision->reason, plan.to_text());
    }
  }
}

site::Site random_site(const Tree& tree, std::mt19937& random) {
  const auto pick = [&](std::size_t count) {
    return std::uniform_int_distribution<std::size_t>(0, count - 1)(random);
  };
  std::vector<std::string> candidates;
  for (const std::string& d : tree.directories()) {
    for (const char* suffix : {"/**", "/**", "/*", ""}) candidates.push_back(d + suffix);
  }
  for (const std::string& f : tree.files()) candidates.push_back(f);
  candidates.push_back(tree.root() + "/a/not-there");
  candidates.push_back(tree.root() + "/a/new");
  candidates.push_back(tree.root() + "/top/**");
  std::shuffle(candidates.begin(), candidates.end(), random);
  site::Site site;
  std::vector<std::string> used;
  const std::size_t objects = 1 + pick(6);
  for (std::size_t i = 0; i < objects; ++i) {
    std::vector<std::string> patterns;
    const std::size_t count = 1 + pick(2);
    while (patterns.size() < count && !candidates.empty()) {
      const std::string pattern = candidates.back();
      candidates.pop_back();
      if (std::find(used.begin(), used.end(), pattern) != used.end()) continue;
      used.push_back(pattern);
      patterns.push_back(pattern);
    }
    site.mac.objects.push_back(object_of(fmt::format("o{}", i), patterns));
  }
  site::MacDomain domain;
  domain.name = "d";
  for (const site::MacObject& object : site.mac.objects) {
    site::MacGrant grant;
    for (const P p : {P::read, P::write, P::append, P::create, P::remove, P::execute, P::list}) {
      if (pick(2) == 0) grant.permissions.push_back(p);
    }
    grant.objects = {object.name};
    if (pick(4) != 0) domain.grants.push_back(grant);
  }
  site.mac.domains.push_back(domain);
  return site;
}

class Landlock : public testing::Test {
 protected:
  void SetUp() override {
    abi_ = core::landlock::kernel_abi();
    if (abi_ == 0) GTEST_SKIP() << "this kernel has no Landlock";
  }
  int abi_ = 0;
};

TEST_F(Landlock, AgreesWithTheEvaluatorOrSaysWhereNot) {
  if (abi_ < 3) GTEST_SKIP() << "truncation is not mediated here";
  Tree tree;
  const std::vector<Probe> probes = tree.probes();
  // The control: unconfined, every probe works.
  for (const int error : run_probes(nullptr, probes)) ASSERT_EQ(error, 0);
  std::mt19937 random(20261121);
  Tally tally;
  constexpr int kPolicies = 200;
  for (int i = 0; i < kPolicies && !HasFailure(); ++i) {
    tree.rebuild();
    const Ir ir = build(random_site(tree, random));
    const LandlockPlan plan = plan_landlock(ir, ir.domains[0], abi_);
    compare(ir, plan, probes, run_probes(&plan, probes), tally);
  }
  const std::size_t total = tally.agree + tally.declared_stronger + tally.declared_weaker;
  RecordProperty("probes", static_cast<int>(total));
  RecordProperty("agree", static_cast<int>(tally.agree));
  RecordProperty("declared_stronger", static_cast<int>(tally.declared_stronger));
  RecordProperty("declared_weaker", static_cast<int>(tally.declared_weaker));
  std::cout << fmt::format("{} probes: {} agree, {} declared stronger, {} declared weaker, {} denials\n",
                           total, tally.agree, tally.declared_stronger, tally.declared_weaker, tally.denials);
  EXPECT_GT(tally.denials, total / 4) << "the policies must deny enough to mean something";
  EXPECT_GT(tally.agree, total * 3 / 4);
}

TEST_F(Landlock, PlainPoliciesAreExact) {
  // Separate trees, no exceptions inside: nothing may be declared but the network.
  Tree tree;
  site::Site site;
  site.mac.objects = {object_of("a", {tree.root() + "/a/**"}), object_of("b", {tree.root() + "/b/**"}),
                      object_of("top", {tree.root() + "/top"})};
  site::MacDomain domain;
  domain.name = "d";
  domain.grants.push_back({{P::read, P::list, P::execute}, {"a"}, {}});
  domain.grants.push_back({{P::read, P::write, P::create, P::remove}, {"b"}, {}});
  domain.grants.push_back({{P::read}, {"top"}, {}});
  site.mac.domains = {domain};
  const Ir ir = build(site);
  const LandlockPlan plan = plan_landlock(ir, ir.domains[0], abi_);
  for (const Residual& r : plan.residuals) EXPECT_TRUE(r.subject.empty() || r.subject[0] != '/') << r.code;
  Tally tally;
  const std::vector<Probe> probes = tree.probes();
  compare(ir, plan, probes, run_probes(&plan, probes), tally);
  EXPECT_EQ(tally.agree, probes.size());
}

TEST_F(Landlock, ALinkGrantsNothing) {
  Tree tree;
  ASSERT_EQ(symlink((tree.root() + "/b").c_str(), (tree.root() + "/ln").c_str()), 0);
  site::Site site;
  site.mac.objects = {object_of("ln", {tree.root() + "/ln/**"}), object_of("one", {tree.root() + "/a/f1/**"}),
                      object_of("dir", {tree.root() + "/flat"})};
  site::MacDomain domain;
  domain.name = "d";
  domain.grants.push_back({{P::read}, {"ln", "one", "dir"}, {}});
  site.mac.domains = {domain};
  const Ir ir = build(site);
  const LandlockPlan plan = plan_landlock(ir, ir.domains[0], abi_);
  EXPECT_EQ(run_probes(&plan, {{P::read, tree.root() + "/b/x1"},
                               {P::read, tree.root() + "/ln/x1"},
                               {P::read, tree.root() + "/a/f1"},
                               {P::read, tree.root() + "/flat/e1"}}),
            (std::vector<int>{EACCES, EACCES, 0, EACCES}));
  // What was left out is said.
  const pid_t child = fork();
  if (child == 0) {
    const auto applied = apply_landlock(plan);
    _exit(applied && applied->left_out.size() == 2 &&
                  applied->left_out[0].find("directory") != std::string::npos &&
                  applied->left_out[1].find("symbolic link") != std::string::npos
              ? 0
              : 1);
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
}

TEST_F(Landlock, PortsAsTheEvaluatorSays) {
  if (abi_ < 4) GTEST_SKIP() << "Landlock here has no TCP rules";
  if (geteuid() != 0) GTEST_SKIP() << "needs root for a network namespace of its own";
  site::Site site;
  const auto add_ports = [&](const char* name, std::uint16_t first, std::uint16_t last) {
    site::MacObject object;
    object.name = name;
    object.ports.push_back({site::Transport::tcp, first, last, {}});
    site.mac.objects.push_back(object);
  };
  add_ports("both", 7001, 7002);
  add_ports("bind", 7003, 7003);
  add_ports("connect", 7004, 7004);
  site::MacDomain domain;
  domain.name = "d";
  domain.grants.push_back({{P::bind, P::connect}, {"both"}, {}});
  domain.grants.push_back({{P::bind}, {"bind"}, {}});
  domain.grants.push_back({{P::connect}, {"connect"}, {}});
  site.mac.domains = {domain};
  const Ir ir = build(site);
  const LandlockPlan plan = plan_landlock(ir, ir.domains[0], abi_);
  const auto probe = [](P permission, std::uint16_t port) {
    const core::UniqueFd fd(socket(AF_INET, SOCK_STREAM, 0));
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port = htons(port);
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    const auto* address = reinterpret_cast<const sockaddr*>(&to);
    if (permission == P::bind) return bind(fd.get(), address, sizeof(to)) == 0 ? 0 : errno;
    return connect(fd.get(), address, sizeof(to)) == 0 ? 0 : errno;
  };
  // The number of surprises is the exit status; 200 means that the namespace was not to be had.
  const pid_t child = fork();
  if (child == 0) {
    if (unshare(CLONE_NEWNET) != 0) _exit(200);
    const core::UniqueFd control(socket(AF_INET, SOCK_DGRAM, 0));
    ifreq loopback{};
    loopback.ifr_name[0] = 'l';
    loopback.ifr_name[1] = 'o';
    loopback.ifr_flags = IFF_UP;
    if (ioctl(control.get(), SIOCSIFFLAGS, &loopback) != 0) _exit(200);
    int surprises = 0;
    for (const bool confined : {false, true}) {
      if (confined && !apply_landlock(plan)) _exit(201);
      for (std::uint16_t port = 7000; port <= 7005; ++port) {
        for (const P permission : {P::bind, P::connect}) {
          const bool allowed =
              !confined || decide_port(ir, ir.domains[0], permission, site::Transport::tcp, port)->allowed;
          const int free = permission == P::bind ? 0 : ECONNREFUSED;
          surprises += probe(permission, port) == (allowed ? free : EACCES) ? 0 : 1;
        }
      }
    }
    _exit(surprises);
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFEXITED(status));
  if (WEXITSTATUS(status) == 200) GTEST_SKIP() << "no network namespace";
  EXPECT_EQ(WEXITSTATUS(status), 0);
}

TEST(LandlockPlan, ExceptionsBecomeHoles) {
  site::Site site;
  site.mac.objects = {object_of("etc", {"/etc/**"}), object_of("shadow", {"/etc/shadow"}),
                      object_of("keys", {"/etc/ssl/private/**"}), object_of("log", {"/var/log/x"}),
                      object_of("flat", {"/srv/*"})};
  site::MacDomain domain;
  domain.name = "d";
  domain.grants.push_back({{P::read}, {"etc", "keys", "flat"}, {}});
  domain.grants.push_back({{P::append}, {"log"}, {}});
  site.mac.domains = {domain};
  const Ir ir = build(site);
  const LandlockPlan plan = plan_landlock(ir, ir.domains[0], 7);
  const std::string text = plan.to_text();
  EXPECT_THAT(text, HasSubstr("allow tree /etc read_file without /etc/shadow\n"));
  EXPECT_THAT(text, HasSubstr("allow tree /etc/ssl/private read_file\n"));
  EXPECT_THAT(text, HasSubstr("allow entries /srv read_file\n"));
  EXPECT_THAT(text, HasSubstr("allow file /var/log/x write_file\n"));
  std::vector<std::string> codes;
  for (const Residual& r : plan.residuals) codes.push_back(r.code);
  EXPECT_THAT(codes, testing::UnorderedElementsAre("landlock-hole", "landlock-append", "landlock-entries",
                                                   "landlock-udp", "landlock-tcp-paths"));
}

TEST(LandlockPlan, AWholeTreeOfEntriesOfAnotherObjectIsLeftOut) {
  site::Site site;
  site.mac.objects = {object_of("all", {"/x/**"}), object_of("entries", {"/x/*"})};
  site::MacDomain domain;
  domain.name = "d";
  domain.grants.push_back({{P::read}, {"all"}, {}});
  site.mac.domains = {domain};
  const Ir ir = build(site);
  const LandlockPlan plan = plan_landlock(ir, ir.domains[0], 7);
  EXPECT_TRUE(plan.rules.empty());
  EXPECT_EQ(plan.residuals[0].code, "landlock-hole");
}

}  // namespace
}  // namespace gatehouse::mac
