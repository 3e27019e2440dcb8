// `socfwd verify`, `emit` and `cat`: the spool by hand.
#include <fmt/format.h>

#include <iostream>
#include <nlohmann/json.hpp>

#include "core/json.h"
#include "core/log.h"
#include "core/os.h"
#include "soc/cli/verbs.h"
#include "soc/spool/segments.h"
#include "soc/spool/verify.h"
#include "soc/spool/writer.h"

#include <unistd.h>

namespace gatehouse::soc {

namespace {

core::Result<std::vector<std::string>> streams_of(const std::string& spool, const core::Args& args) {
  GH_TRY(auto streams, list_streams(spool));
  if (args.has("--stream")) {
    const std::string wanted = args.value("--stream");
    if (std::find(streams.begin(), streams.end(), wanted) == streams.end()) {
      return core::fail(core::Errc::not_found, spool + " has no stream " + wanted);
    }
    return std::vector<std::string>{wanted};
  }
  if (streams.empty()) return core::fail(core::Errc::not_found, spool + " has no streams");
  return streams;
}

std::string as_json(const std::vector<StreamReport>& reports, bool intact) {
  std::string out;
  core::JsonWriter json(out);
  json.begin_object().field("intact", intact).key("streams").begin_array();
  for (const StreamReport& r : reports) {
    json.begin_object().field("stream", r.stream).field("intact", r.intact()).field("segments", r.segments);
    json.field("bytes", r.bytes).field("events", r.end.events).field("first_sequence", r.first_sequence);
    json.field("last_sequence", r.end.last.sequence)
        .field("lost", r.end.lost)
        .field("dropped", r.end.dropped);
    json.field("damages", r.end.damages).field("unfinished", r.unfinished).field("has_writer", r.has_writer);
    json.end_object();
  }
  json.end_array().end_object();
  return out + '\n';
}

// A writer that is just ending, or a script like this one, has the stream only for a moment.
core::Result<std::unique_ptr<SpoolWriter>> open_patiently(const std::string& spool, const std::string& stream,
                                                          std::uint64_t wait_s) {
  const std::int64_t deadline = core::monotonic_us() + static_cast<std::int64_t>(wait_s) * 1'000'000;
  for (;;) {
    auto writer = SpoolWriter::open(spool, stream);
    if (writer || writer.error().code != core::Errc::conflict || core::monotonic_us() >= deadline)
      return writer;
    ::usleep(20'000);
  }
}

}  // namespace

core::Result<int> verify_verb(const core::Args& args) {
  const std::string& spool = args.positional()[0];
  GH_TRY(const auto streams, streams_of(spool, args));
  std::vector<StreamReport> reports;
  bool intact = true;
  std::string text;
  for (const std::string& stream : streams) {
    GH_TRY(const StreamReport r, verify_stream(spool, stream));
    intact = intact && r.intact();
    text += fmt::format(
        "{}: {} events ({} to {}) in {} segments, {} lost, {} dropped, {} damaged places{}: {}\n", r.stream,
        r.end.events, r.first_sequence, r.end.last.sequence, r.segments, r.end.lost, r.end.dropped,
        r.end.damages, r.unfinished ? ", unfinished end" : "", r.intact() ? "intact" : "DAMAGED");
    reports.push_back(r);
  }
  GH_CHECK(core::print_result(args.json() ? as_json(reports, intact) : text));
  return intact ? core::kExitDone : core::kExitNo;
}

core::Result<int> emit_verb(const core::Args& args) {
  GH_TRY(const std::uint64_t wait_s, args.uint("--wait", 5, 0, 3600));
  GH_TRY(const auto writer, open_patiently(args.value("--spool"), args.value("--stream"), wait_s));
  std::string line;
  std::uint64_t number = 0;
  std::uint64_t waiting_bytes = 0;
  std::uint64_t refused = 0;
  while (std::getline(std::cin, line)) {
    ++number;
    if (line.empty()) continue;
    if (!nlohmann::json::accept(line)) {
      core::log_error("standard input line {} is not JSON", number);
      ++refused;
      continue;
    }
    writer->append(line);
    // Unlike an engine, a script can wait for the disk.
    waiting_bytes += line.size();
    if (waiting_bytes >= 1U << 20U) {
      GH_CHECK(writer->sync());
      waiting_bytes = 0;
    }
  }
  GH_CHECK(writer->sync());
  const WriterCounters c = writer->counters();
  refused += c.refused;
  std::string text;
  if (args.json()) {
    core::JsonWriter json(text);
    json.begin_object().field("appended", c.appended_total()).field("dropped", c.dropped_total());
    json.field("refused", refused).field("last_sequence", c.last_sequence).end_object();
    text += '\n';
  } else {
    text =
        fmt::format("{} appended, {} dropped, {} refused\n", c.appended_total(), c.dropped_total(), refused);
  }
  GH_CHECK(core::print_result(text));
  return c.dropped_total() + refused == 0 ? core::kExitDone : core::kExitNo;
}

core::Result<int> cat_verb(const core::Args& args) {
  const std::string& spool = args.positional()[0];
  GH_TRY(const auto streams, streams_of(spool, args));
  for (const std::string& stream : streams) {
    SpoolReader reader(stream_directory(spool, stream), Position{}, 0);
    std::vector<ReadEvent> events;
    do {
      events.clear();
      GH_CHECK(reader.read(events, 1024, 1U << 20U));
      std::string text;
      for (const ReadEvent& e : events) {
        if (args.json()) {
          core::JsonWriter json(text);
          json.begin_object().field("id", e.event.id.to_string()).field("stream", stream);
          json.field("class", to_string(e.event.event_class))
              .field("appended", core::rfc3339(e.event.appended_us));
          json.field("skipped", e.event.skipped).key("event").raw(e.event.line).end_object();
        } else {
          text += e.event.line;
        }
        text += '\n';
      }
      GH_CHECK(core::print_result(text));
    } while (!events.empty());
  }
  return core::kExitDone;
}

}  // namespace gatehouse::soc
