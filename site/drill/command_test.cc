#include "site/drill/command.h"

#include <gtest/gtest.h>
#include <signal.h>

namespace gatehouse::drill {
namespace {

TEST(Command, GivesOutputAndExitStatus) {
  auto result = run_command({"sh", "-c", "echo out; echo err >&2; exit 7"}, {});
  ASSERT_TRUE(result) << result.error().text;
  EXPECT_EQ(result->exit_status, 7);
  EXPECT_TRUE(result->says("out\n") && result->says("err\n"));
  EXPECT_FALSE(result->timed_out);
}

TEST(Command, PassesInputEvenWhenTheProgramDoesNotReadIt) {
  CommandOptions options;
  options.input = std::string(1U << 20U, 'x');
  auto counted = run_command({"wc", "-c"}, options);
  ASSERT_TRUE(counted);
  EXPECT_EQ(counted->output, "1048576\n");
  auto ignored = run_command({"true"}, options);
  ASSERT_TRUE(ignored);
  EXPECT_TRUE(ignored->ok());
}

TEST(Command, EndsAProgramAndItsChildrenAtTheLimit) {
  CommandOptions options;
  options.limit = std::chrono::milliseconds(200);
  auto result = run_command({"sh", "-c", "sleep 60 & sleep 60"}, options);
  ASSERT_TRUE(result);
  EXPECT_TRUE(result->timed_out);
  EXPECT_FALSE(result->ok());
  EXPECT_LT(result->end_us - result->start_us, 5'000'000);
}

TEST(Command, TellsASignalFromAnExit) {
  auto result = run_command({"sh", "-c", "kill -SEGV $$"}, {});
  ASSERT_TRUE(result);
  EXPECT_EQ(result->exit_status, -1);
  EXPECT_EQ(result->signal, SIGSEGV);
}

TEST(Command, KeepsNoMoreOutputThanAllowed) {
  CommandOptions options;
  options.output_limit = 1000;
  auto result = run_command({"sh", "-c", "yes | head -c 1000000"}, options);
  ASSERT_TRUE(result);
  EXPECT_TRUE(result->ok());
  EXPECT_EQ(result->output.size(), 1000U);
}

TEST(Command, AProgramThatIsNotThereIsAnError) {
  EXPECT_FALSE(run_command({"/nonexistent/program"}, {}));
  EXPECT_FALSE(run_command({}, {}));
}

}  // namespace
}  // namespace gatehouse::drill
