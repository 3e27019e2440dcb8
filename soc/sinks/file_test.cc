#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>

#include "core/os.h"
#include "soc/sinks/sink.h"
#include "soc/spool/test_support.h"

namespace gatehouse::soc {

using test::Scratch;

namespace {

std::unique_ptr<Sink> file_sink(const std::string& path) {
  SinkSettings settings;
  settings.receiver.kind = site::ReceiverKind::file;
  settings.receiver.path = path;
  return make_sink(settings).value();
}

ReadEvent event(std::uint64_t sequence, const std::string& line) {
  return ReadEvent{Event{EventClass::flow, EventId{0xab, sequence}, 0, 0, line}, {}};
}

}  // namespace

TEST(FileSink, AppendsLinesWithTheirIdentity) {
  const Scratch scratch;
  const std::string path = scratch.path() + "/out.json";
  const auto sink = file_sink(path);
  ASSERT_TRUE(sink->connect());
  const std::vector<ReadEvent> events = {event(1, R"({"a":1})"), event(2, R"({"alert":{"b":2}})")};
  ASSERT_TRUE(sink->send("ids", events));
  EXPECT_EQ(sink->confirmed().value(), 2U);
  EXPECT_EQ(core::read_file(path).value(),
            "{\"a\":1,\"gatehouse_event_id\":\"00000000000000ab-1\"}\n"
            "{\"alert\":{\"metadata\":{\"gatehouse_event_id\":[\"00000000000000ab-2\"]},\"b\":2}}\n");
}

TEST(FileSink, FollowsRotation) {
  const Scratch scratch;
  const std::string path = scratch.path() + "/out.json";
  const auto sink = file_sink(path);
  ASSERT_TRUE(sink->connect());
  const std::vector<ReadEvent> first = {event(1, R"({"a":1})")};
  ASSERT_TRUE(sink->send("ids", first));
  std::filesystem::rename(path, path + ".1");
  const std::vector<ReadEvent> second = {event(2, R"({"a":2})")};
  ASSERT_TRUE(sink->send("ids", second));
  ASSERT_TRUE(sink->finish(0));
  EXPECT_EQ(sink->confirmed().value(), 2U);
  EXPECT_NE(core::read_file(path + ".1").value().find("{\"a\":1"), std::string::npos);
  EXPECT_NE(core::read_file(path).value().find("{\"a\":2"), std::string::npos);
}

TEST(FileSink, EndsAHalfLineLeftByACrash) {
  const Scratch scratch;
  const std::string path = scratch.path() + "/out.json";
  std::ofstream(path) << "{\"a\":";
  const auto sink = file_sink(path);
  ASSERT_TRUE(sink->connect());
  const std::vector<ReadEvent> events = {event(1, "{}")};
  ASSERT_TRUE(sink->send("ids", events));
  EXPECT_EQ(core::read_file(path).value(), "{\"a\":\n{\"gatehouse_event_id\":\"00000000000000ab-1\"}\n");
}

TEST(FileSink, RefusesWhatIsNoFile) {
  const Scratch scratch;
  EXPECT_FALSE(file_sink(scratch.path())->connect());
  ASSERT_EQ(::mkfifo((scratch.path() + "/fifo").c_str(), 0600), 0);
  EXPECT_FALSE(file_sink(scratch.path() + "/fifo")->connect());
}

TEST(SinkTable, RefusesSettingsThatCannotWork) {
  EXPECT_EQ(sink_types().size(), 2U);
  SinkSettings settings;
  EXPECT_FALSE(make_sink(settings));
  settings.receiver.kind = site::ReceiverKind::syslog_tls;
  settings.addresses = {*core::IpAddress::parse("10.0.0.1")};
  settings.receiver.ca = settings.receiver.certificate = settings.receiver.key = "x";
  EXPECT_FALSE(make_sink(settings)) << "no server name";
  settings.receiver.server_name = "a.example";
  EXPECT_TRUE(make_sink(settings));
  settings.receiver.max_frame_bytes = 400;
  EXPECT_FALSE(make_sink(settings));
}

}  // namespace gatehouse::soc
