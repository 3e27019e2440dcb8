#include "ids/engine/stats.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace gatehouse::ids::testing {
namespace {

nlohmann::json written(const engine::StatsSnapshot& stats, const engine::StatsContext& context) {
  std::string text;
  core::JsonWriter json(text);
  json.begin_object();
  engine::write_stats(json, stats, context);
  json.end_object();
  return nlohmann::json::parse(text);
}

TEST(Stats, CountersThatAreZeroAreLeftOutWhenAskedFor) {
  engine::StatsSnapshot stats;
  stats.decoder.ipv4 = 7;
  engine::StatsContext context;
  context.rules_loaded = 2;
  context.rules_skipped = 1;
  const auto all = written(stats, context);
  EXPECT_EQ(all["decoder"]["ipv4"], 7);
  EXPECT_EQ(all["decoder"]["ipv6"], 0);
  context.null_values = false;
  const auto few = written(stats, context);
  EXPECT_EQ(few["decoder"]["ipv4"], 7);
  EXPECT_FALSE(few["decoder"].contains("ipv6"));
  // What describes the engine is no counter.
  EXPECT_EQ(few["uptime"], 0);
  const nlohmann::json rules = {{"id", 0}, {"rules_loaded", 2}, {"rules_failed", 0}, {"rules_skipped", 1}};
  EXPECT_EQ(few["detect"]["engines"][0], rules);
}

}  // namespace
}  // namespace gatehouse::ids::testing
