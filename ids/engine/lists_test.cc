// Lists from their settings to the events they shape.
#include "ids/engine/lists.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>

#include "core/os.h"
#include "ids/engine/rule_set.h"
#include "ids/engine/testing/replay.h"
#include "ids/state/testing_mmdb.h"

namespace gatehouse::ids::testing {
namespace {

using nlohmann::json;

class Lists : public ::testing::Test {
 protected:
  Lists() { std::filesystem::create_directories(directory_); }
  ~Lists() override { std::filesystem::remove_all(directory_); }

  std::string path(const std::string& file) const { return directory_ + "/" + file; }
  std::string write(const std::string& file, const std::string& text) const {
    EXPECT_TRUE(core::write_file_atomic(path(file), text));
    return path(file);
  }
  static std::vector<Frame> web() {
    return TcpConversation()
        .handshake()
        .client_sends("GET /a HTTP/1.1\r\nHost: shop.example\r\n\r\n")
        .server_sends("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        .close()
        .frames();
  }

  std::string directory_ = ::testing::TempDir() + "gatehouse-lists-" + std::to_string(::getpid());
};

TEST_F(Lists, ReputationAndCountriesAreReadFromTheSettings) {
  MmdbWriter countries;
  countries.add("192.0.2.0/24", "FR");
  const std::string config = "settings: {reputation-categories-file: " + write("cat", "1,Bad,x\n") +
                             ", default-reputation-path: " + directory_ +
                             ", reputation-files: [list], geoip-database: " + write("geo", countries.file()) +
                             "}";
  write("list", "192.0.2.0/24,1,77\n");
  const Replay result = replay(web(),
                               "alert tcp any any -> any any (flags:S; iprep:src,Bad,>,70; sid:1;)\n"
                               "alert tcp any any -> any any (flags:S; iprep:src,Bad,>,80; sid:2;)\n"
                               "alert tcp any any -> any any (flags:S; geoip:src,FR; sid:3;)\n"
                               "alert tcp any any -> any any (flags:S; geoip:dst,FR; sid:4;)\n",
                               config);
  ASSERT_FALSE(result.diagnostics.has_errors()) << result.diagnostics.render_all();
  EXPECT_EQ(result.sids(), (std::vector<int>{1, 3}));
}

TEST_F(Lists, AlertsCarryTheContextOfASetAndTheCountersOfTheFlow) {
  const std::string hosts = write("hosts", "[{\"host\": \"shop.example\", \"since\": 2005}]");
  const Replay result =
      replay(web(), "alert http any any -> any any (http.host; dataset:isset,shops,type string,load " +
                        hosts + ",format json,value_key host,context_key shop; flowint:seen,+,3; sid:1;)");
  ASSERT_FALSE(result.diagnostics.has_errors()) << result.diagnostics.render_all();
  ASSERT_EQ(result.sids(), std::vector<int>{1});
  const json alert = result.of_type("alert")[0];
  EXPECT_EQ(alert["alert"]["context"]["shop"]["since"], 2005);
  EXPECT_EQ(alert["metadata"]["flowints"]["seen"], 3);
}

TEST_F(Lists, TaggedPacketsAreEvents) {
  const Replay result =
      replay(web(), "alert tcp any any -> any any (flags:S; tag:session,3,packets; sid:1;)");
  const auto packets = result.of_type("packet");
  ASSERT_EQ(packets.size(), 2U);
  EXPECT_EQ(packets[0]["pcap_cnt"], 2);
  EXPECT_TRUE(packets[0].contains("packet"));
  EXPECT_EQ(packets[0]["packet_info"]["linktype"], 1);
  const Replay silent = replay(web(), "alert tcp any any -> any any (flags:S; tag:session,3,packets; sid:1;)",
                               "eve: {types: {alert: {tagged-packets: no}}}");
  EXPECT_TRUE(silent.of_type("packet").empty());
}

TEST_F(Lists, AMistakeInAFileStopsTheStartAndSaysWhere) {
  core::Diagnostics d;
  const core::SourceText config("c", "{reputation-categories-file: " + write("cat", "1,Bad,x\n") +
                                         ", reputation-files: [" +
                                         write("list", "192.0.2.1,1,1\n192.0.2.1,9,1\n") + "]}");
  auto settings = engine::load_settings({nullptr, &config, {}}, d);
  ASSERT_TRUE(settings) << d.render_all();
  EXPECT_FALSE(engine::load_lists(*settings, d));
  ASSERT_EQ(d.all().size(), 1U);
  EXPECT_EQ(d.all()[0].where.line, 2U);
  EXPECT_EQ(settings->environment.resources->reputation, nullptr);
  EXPECT_EQ(engine::list_directories(*settings).size(), 2U);
}

TEST_F(Lists, SetsOfTheConfigurationAreThereForRules) {
  core::Diagnostics d;
  const core::SourceText config("c", "{datasets: {defaults: {memcap: 1 MiB}, hosts: {type: string, load: " +
                                         write("hosts", "c2hvcC5leGFtcGxl\n") + "}}}");
  auto settings = engine::load_settings({nullptr, &config, {}}, d);
  ASSERT_TRUE(settings) << d.render_all();
  const std::string rules =
      write("r.rules",
            "alert http any any -> any any (http.host; dataset:isset,hosts; sid:1;)\n"
            "alert http any any -> any any (http.host; dataset:isset,others; sid:2;)\n");
  const auto set = engine::load_rule_set({rules}, *settings, d);
  ASSERT_TRUE(set) << set.error().to_string();
  EXPECT_EQ(set->loaded, 1U);
  EXPECT_EQ(set->failed, 1U);
}

}  // namespace
}  // namespace gatehouse::ids::testing
