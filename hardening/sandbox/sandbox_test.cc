// Each test forks: the sandbox cannot be left. The child tells what it saw through its exit status,
// and the same probe is run without the sandbox, because a probe that never works proves nothing.
#include <arpa/inet.h>
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <linux/capability.h>
#include <netinet/in.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <functional>
#include <thread>

#include "core/landlock.h"
#include "core/os.h"
#include "hardening/api.h"

namespace gatehouse::hardening {
namespace {

constexpr int kSandboxFailed = 250;

// Runs `probe` in a child, after sandbox_self(spec) when there is one. The probe's result (an errno,
// or 0) is the child's exit status; a signal gives 256 + its number.
int run_probe(const SandboxSpec* spec, const std::function<int()>& probe) {
  const pid_t child = fork();
  if (child == 0) {
    if (spec != nullptr) {
      const auto report = sandbox_self(*spec);
      if (!report) {
        (void)core::write_all(STDERR_FILENO, report.error().to_string() + "\n", "stderr");
        _exit(kSandboxFailed);
      }
    }
    _exit(probe());
  }
  int status = 0;
  EXPECT_EQ(waitpid(child, &status, 0), child);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 256 + WTERMSIG(status);
}

int open_error(const std::string& path, int flags) {
  const core::UniqueFd fd(open(path.c_str(), flags | O_CLOEXEC, 0600));
  return fd.valid() ? 0 : errno;
}

int exec_error() {
  const char* const argv[] = {"/bin/true", nullptr};
  execv(argv[0], const_cast<char* const*>(argv));
  return errno;
}

class Sandbox : public testing::Test {
 protected:
  void SetUp() override {
    if (core::landlock::kernel_abi() == 0) GTEST_SKIP() << "this kernel has no Landlock";
    char pattern[] = "/tmp/gh-sandbox-XXXXXX";
    ASSERT_NE(mkdtemp(pattern), nullptr);
    root_ = pattern;
    ASSERT_EQ(mkdir(readable().c_str(), 0755), 0);
    ASSERT_EQ(mkdir(writable().c_str(), 0777), 0);
    ASSERT_EQ(chmod(writable().c_str(), 0777), 0);
    ASSERT_EQ(chmod(root_.c_str(), 0755), 0);
    ASSERT_TRUE(core::write_file_atomic(readable() + "/file", "text"));
    spec_.name = "test";
    spec_.read_only = {readable()};
    spec_.read_write = {writable()};
    spec_.tcp_connect.emplace();
    spec_.tcp_bind.emplace();
  }
  void TearDown() override {
    for (const char* name : {"/r/file", "/w/new", "/w/moved"}) (void)unlink((root_ + name).c_str());
    (void)rmdir(readable().c_str());
    (void)rmdir(writable().c_str());
    (void)rmdir(root_.c_str());
  }
  std::string readable() const { return root_ + "/r"; }
  std::string writable() const { return root_ + "/w"; }
  // With the sandbox and, as the control, without it.
  void expect_probe(int fenced, int free, const std::function<int()>& probe) {
    EXPECT_EQ(run_probe(nullptr, probe), free) << "control without the sandbox";
    EXPECT_EQ(run_probe(&spec_, probe), fenced);
  }

  std::string root_;
  SandboxSpec spec_;
};

TEST_F(Sandbox, IdsCannotOpenShadow) {
  if (geteuid() != 0) GTEST_SKIP() << "only root can read /etc/shadow to begin with";
  spec_.seccomp = "ids";
  expect_probe(EACCES, 0, [] { return open_error("/etc/shadow", O_RDONLY); });
}

TEST_F(Sandbox, IdsCannotExecute) {
  spec_.seccomp = "ids";
  // /bin/true exits 0. EPERM is the profile's default action, not Landlock's EACCES.
  expect_probe(EPERM, 0, exec_error);
  spec_.seccomp.clear();
  expect_probe(EACCES, 0, exec_error);
}

TEST_F(Sandbox, WritesOnlyWhereAllowed) {
  spec_.seccomp = "ids";
  const std::string outside = root_ + "/new";
  expect_probe(EACCES, 0, [&] { return open_error(outside, O_WRONLY | O_CREAT); });
  (void)unlink(outside.c_str());
  expect_probe(0, 0, [&] { return open_error(writable() + "/new", O_WRONLY | O_CREAT | O_TRUNC); });
  expect_probe(EACCES, 0, [&] { return open_error(readable() + "/file", O_WRONLY); });
  expect_probe(EACCES, 0, [&] { return open_error(readable() + "/file", O_RDONLY | O_TRUNC); });
  expect_probe(0, 0, [&] { return open_error(readable() + "/file", O_RDONLY); });
}

// How the daemons keep their state: new file, mode, sync, rename.
TEST_F(Sandbox, ReplacesFilesAtomically) {
  for (const char* profile : {"ids", "socfwd"}) {
    spec_.seccomp = profile;
    expect_probe(0, 0, [&] { return core::write_file_atomic(writable() + "/new", "state", 0640) ? 0 : 1; });
    expect_probe(EPERM, 0, [&] { return chmod((writable() + "/new").c_str(), 0600) == 0 ? 0 : errno; });
    expect_probe(EPERM, 0, [&] {
      const core::UniqueFd fd(open((writable() + "/new").c_str(), O_RDONLY | O_CLOEXEC));
      return fchmod(fd.get(), 04755) == 0 ? 0 : errno;
    });
  }
}

TEST_F(Sandbox, RenamesWithinTheWritableDirectory) {
  ASSERT_TRUE(core::write_file_atomic(writable() + "/new", "x", 0666));
  EXPECT_EQ(run_probe(&spec_,
                      [&] {
                        return rename((writable() + "/new").c_str(), (writable() + "/moved").c_str()) == 0
                                   ? 0
                                   : errno;
                      }),
            0);
}

TEST_F(Sandbox, PacketSocketsNeedTheProfile) {
  spec_.seccomp = "socfwd";
  const auto make = [](int family) {
    return [family] { return core::UniqueFd(socket(family, SOCK_DGRAM, 0)).valid() ? 0 : errno; };
  };
  expect_probe(EPERM, 0, make(AF_NETLINK));
  expect_probe(0, 0, make(AF_INET));
  spec_.seccomp = "ids";
  expect_probe(EPERM, 0, make(AF_INET));
}

TEST_F(Sandbox, IntruderCallsKill) {
  spec_.seccomp = "ids";
  expect_probe(256 + SIGSYS, 0, [] { return unshare(CLONE_FS) == 0 ? 0 : errno; });
}

TEST_F(Sandbox, TcpOnlyToListedPorts) {
  if (core::landlock::kernel_abi() < 4) GTEST_SKIP() << "Landlock here has no TCP rules";
  // Port 1 on loopback: refused by the network when nothing fences, by Landlock when it does.
  const auto connect_to = [](std::uint16_t port) {
    return [port] {
      const core::UniqueFd fd(socket(AF_INET, SOCK_STREAM, 0));
      sockaddr_in to{};
      to.sin_family = AF_INET;
      to.sin_port = htons(port);
      to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
      return connect(fd.get(), reinterpret_cast<const sockaddr*>(&to), sizeof(to)) == 0 ? 0 : errno;
    };
  };
  spec_.tcp_connect->push_back(1);
  expect_probe(ECONNREFUSED, ECONNREFUSED, connect_to(1));
  expect_probe(EACCES, ECONNREFUSED, connect_to(2));
}

TEST_F(Sandbox, GivesUpUserAndCapabilities) {
  if (geteuid() != 0) GTEST_SKIP() << "needs root to give anything up";
  spec_.uid = 65534;
  spec_.gid = 65534;
  expect_probe(EPERM, 0, [] { return setresuid(0, 0, 0) == 0 ? 0 : errno; });
  // CAP_NET_ADMIN (12) is out of the bounding set, CAP_NET_RAW (13) was asked to stay.
  spec_.keep_capabilities = {CAP_NET_RAW};
  expect_probe(0, 1, [] { return prctl(PR_CAPBSET_READ, CAP_NET_ADMIN, 0, 0, 0); });
  expect_probe(0, 0, [] { return core::UniqueFd(socket(AF_INET, SOCK_RAW, 1)).valid() ? 0 : errno; });
  spec_.keep_capabilities.clear();
  expect_probe(EPERM, 0, [] { return core::UniqueFd(socket(AF_INET, SOCK_RAW, 1)).valid() ? 0 : errno; });
}

TEST_F(Sandbox, ThreadsStartAfterwards) {
  spec_.seccomp = "ids";
  EXPECT_EQ(run_probe(&spec_,
                      [] {
                        int seen = 1;
                        std::thread([&] { seen = open_error("/etc/hostname", O_RDONLY); }).join();
                        return seen;
                      }),
            EACCES)
      << "a thread started in the sandbox is in it";
}

TEST_F(Sandbox, RefusesAWrongSpec) {
  spec_.read_only.push_back(root_ + "/missing");
  EXPECT_EQ(run_probe(&spec_, [] { return 0; }), kSandboxFailed);
  spec_.read_only.pop_back();
  spec_.seccomp = "isd";
  EXPECT_EQ(run_probe(&spec_, [] { return 0; }), kSandboxFailed);
  spec_.seccomp.clear();
  spec_.user = "no-such-user-here";
  EXPECT_EQ(run_probe(&spec_, [] { return 0; }), kSandboxFailed);
}

TEST_F(Sandbox, RefusesASecondThread) {
  EXPECT_EQ(run_probe(nullptr,
                      [this] {
                        std::atomic<bool> stop{false};
                        std::thread other([&] {
                          while (!stop) usleep(100);
                        });
                        const bool refused = !sandbox_self(spec_);
                        stop = true;
                        other.join();
                        return refused ? 0 : 1;
                      }),
            0);
}

TEST_F(Sandbox, ReportsWhatItDid) {
  spec_.seccomp = "ids";
  EXPECT_EQ(
      run_probe(nullptr,
                [this] {
                  const auto report = sandbox_self(spec_);
                  if (!report) return 1;
                  const std::string text = report->to_string();
                  for (const char* part : {"no_new_privs", "landlock ABI", "1 read-only", "seccomp ids"}) {
                    if (text.find(part) == std::string::npos) return 2;
                  }
                  return core::landlock::kernel_abi() >= 6 && !report->lacking.empty() ? 3 : 0;
                }),
      0);
}

}  // namespace
}  // namespace gatehouse::hardening
