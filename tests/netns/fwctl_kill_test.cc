// kill -9 at any moment of a change: of the command, of the guard whose socket it has borrowed, of the init
// of the PID namespace that the command and the processes that wait for its end live in.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <optional>
#include <random>
#include <utility>

#include "core/os.h"
#include "tests/netns/fwctl_machine.h"

namespace gatehouse::test {
namespace {

constexpr std::size_t kAtOnce = 20;
constexpr std::int64_t kTime_us = 2'000'000;        // of --confirm-within
constexpr std::int64_t kAfterwards_us = 1'300'000;  // until when it must be taken back
constexpr unsigned kLongestApply_us = 90'000;

enum class Victim : std::uint8_t { command, guard, init };

void end(pid_t process) {
  kill(process, SIGKILL);
  waitpid(process, nullptr, 0);
}

struct Trial {
  Machine machine;
  Victim victim = Victim::command;
  std::string before{};
  pid_t guard = -1;

  std::string ruleset() const { return machine.ruleset(); }
};

class FwctlKill : public OnMachine {
 protected:
  void begin(Trial& t) const {
    ASSERT_EQ(t.machine.fwctl("apply " + small_).status, 0);
    // Before the guard takes the table: nft can miss elements of a table that is replaced while it reads.
    t.before = t.ruleset();
    if (t.victim == Victim::guard) start_guard(t);
  }
  void start_guard(Trial& t) const {
    t.guard = t.machine.start("guard " + small_);
    if (t.victim == Victim::init) return;
    for (int i = 0; i < 200; ++i) {
      if (access((t.machine.directory() + "/fwctl.sock").c_str(), F_OK) == 0) return;
      usleep(10'000);
    }
    FAIL() << "the guard did not start";
  }
  // How long an apply takes depends on the machine and on what else it does.
  static void wait_until_in_force(const Trial& t) {
    for (int i = 0; i < 400 && t.ruleset() == t.before; ++i) usleep(5'000);
  }
  // After so long, or if nothing is said once the change is in force.
  void kill_in_the_middle(Trial& t, std::optional<unsigned> after_us) const {
    const auto wait = [&] {
      if (after_us) {
        usleep(*after_us);
      } else {
        wait_until_in_force(t);
      }
    };
    const std::string apply = "apply --confirm-within 2s " + large_;
    if (t.victim == Victim::init) {
      // The shell is the init: with it everything in its namespace ends.
      const pid_t child = t.machine.start_command(fmt::format(
          "unshare --pid --fork --kill-child=KILL sh -c '{} {}; sleep 9'", GATEHOUSE_FWCTL, apply));
      wait();
      end(child);
      start_guard(t);  // as whatever starts the namespace again would
      return;
    }
    const pid_t child = t.machine.start(apply);
    wait();
    if (t.victim == Victim::guard) {
      end(t.guard);
      t.guard = -1;
      waitpid(child, nullptr, 0);
    } else {
      end(child);
    }
  }

  const std::string small_ = example("minimal.yaml"), large_ = example("web-mail.yaml");
};

TEST_F(FwctlKill, TheRulesetIsTheOldOrTheNewOneAndGoesBackInTime) {
  const char* wanted = std::getenv("GATEHOUSE_KILL_TRIALS");
  const std::size_t trials = wanted == nullptr ? 25 : std::stoul(wanted);
  ASSERT_EQ(m_->fwctl("apply " + large_).status, 0);
  const std::string changed = m_->ruleset();
  std::mt19937 random(7);
  std::array<int, 3> in_force{};
  std::array<bool, 3> killed_late{};
  std::size_t done = 0;
  while (done < trials) {
    std::vector<Trial> all;
    for (; all.size() < kAtOnce && done < trials; ++done) {
      auto made = Machine::make();
      ASSERT_TRUE(made) << made.error().to_string();
      all.push_back({std::move(*made), static_cast<Victim>(done % 3)});
      ASSERT_NO_FATAL_FAILURE(begin(all.back()));
    }
    for (Trial& t : all) {
      const unsigned extra = t.victim == Victim::init ? 20'000 : 0;  // until the namespace is there
      const unsigned after_us = extra + static_cast<unsigned>(random() % kLongestApply_us);
      // One of each is killed late for certain, all others at any moment.
      const bool late = !std::exchange(killed_late[static_cast<std::size_t>(t.victim)], true);
      kill_in_the_middle(t, late ? std::nullopt : std::optional(after_us));
      const std::string now = t.ruleset();
      EXPECT_TRUE(now == t.before || now == changed) << now;
      in_force[static_cast<std::size_t>(t.victim)] += now == changed ? 1 : 0;
    }
    usleep(kTime_us + kAfterwards_us);
    for (Trial& t : all) {
      EXPECT_EQ(t.ruleset(), t.before) << "victim " << static_cast<int>(t.victim) << '\n'
                                       << t.machine.run("cat " + t.machine.directory() + "/log").text;
      // Nothing is stuck: the next change goes through.
      const Output next = t.machine.fwctl("apply " + large_);
      EXPECT_EQ(next.status, 0) << next.text;
      if (t.guard > 0) end(t.guard);
    }
  }
  std::printf(
      "%zu trials; the change was in force when the command was killed in %d, the guard %d, the init %d\n",
      trials, in_force[0], in_force[1], in_force[2]);
  for (const int n : in_force) EXPECT_GT(n, 0) << "killed too early every time: nothing was tested";
}

}  // namespace
}  // namespace gatehouse::test
