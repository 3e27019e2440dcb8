#include "ids/engine/profile.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace gatehouse::ids::engine {
namespace {

struct Rules {
  Rules() {
    for (std::uint32_t sid = 1; sid <= 2; ++sid) {
      rules[sid - 1].meta.sid = sid;
      rules[sid - 1].meta.message = "rule " + std::to_string(sid);
    }
  }
  Rule rules[2];
};

DetectorCosts costs(const Rules& r, std::uint64_t first_ns, std::uint64_t second_ns) {
  DetectorCosts out;
  out.rules = {{&r.rules[0], {3, first_ns, 0, 1}}, {&r.rules[1], {5, second_ns, 0, 0}}};
  out.sets = {{"http http.uri to_server", {2, 700, 60, 4}}};
  return out;
}

TEST(Profile, AddsWorkersUpAndPutsTheDearestFirst) {
  const Rules r;
  Profile profile;
  profile.add(costs(r, 100, 150));
  profile.add(costs(r, 300, 150));
  profile.rank();
  constexpr std::uint64_t kEvery = CostSampler::kEvery;
  ASSERT_EQ(profile.rules.size(), 2U);
  EXPECT_EQ(profile.rules[0].sid, 1U);
  EXPECT_EQ(profile.rules[0].nanoseconds, 400 * kEvery);
  EXPECT_EQ(profile.rules[0].count, 6 * kEvery);
  EXPECT_EQ(profile.rules[0].hits, 2 * kEvery);
  EXPECT_EQ(profile.rules[1].nanoseconds, 300 * kEvery);
  ASSERT_EQ(profile.sets.size(), 1U);
  EXPECT_EQ(profile.sets[0].bytes, 120 * kEvery);
  const std::string text = profile_text(profile, 1);
  EXPECT_NE(text.find("rule 1"), std::string::npos);
  EXPECT_EQ(text.find("rule 2"), std::string::npos) << "only the dearest";
  const auto json = nlohmann::json::parse(profile_json(profile));
  EXPECT_EQ(json["rules"].size(), 2U);
  EXPECT_EQ(json["rules"][0]["signature_id"], 1);
  EXPECT_EQ(json["literal_sets"][0]["candidates"], 8 * kEvery);
}

TEST(Profile, OneInEveryIsTimed) {
  CostSampler sampler;
  sampler.resize(2);
  constexpr unsigned kRounds = 10;
  unsigned timed = 0;
  for (unsigned i = 0; i < kRounds * CostSampler::kEvery; ++i)
    sampler.measure(1, [&](CostSamples* samples) { timed += samples != nullptr ? 1U : 0U; });
  EXPECT_EQ(timed, kRounds);
  EXPECT_EQ(sampler.samples()[1].count, kRounds);
  EXPECT_EQ(sampler.samples()[0].count, 0U);
}

}  // namespace
}  // namespace gatehouse::ids::engine
