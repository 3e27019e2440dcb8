// `socfwd status`: what each receiver has, and what it still waits for. Read from disk alone, so it
// answers whether or not the daemon runs.
#include <fmt/format.h>

#include <algorithm>

#include "core/json.h"
#include "core/os.h"
#include "soc/cli/verbs.h"
#include "soc/spool/cursor.h"
#include "soc/spool/segments.h"

namespace gatehouse::soc {

namespace {

struct Row {
  std::string receiver;
  std::string stream;
  Position at;
  std::uint64_t lag_events = 0;
  std::uint64_t lag_bytes = 0;
  double lag_seconds = 0;  // age of the oldest event not yet confirmed
  std::uint64_t lost = 0;  // of what is delivered and of what waits
  std::uint64_t dropped = 0;
  bool behind = false;

  bool good() const { return !behind && lost == 0 && dropped == 0; }
};

core::Result<Row> measure(const ForwardPlan& plan, const std::string& receiver, const std::string& stream,
                          double behind_after_seconds) {
  Row row;
  row.receiver = receiver;
  row.stream = stream;
  row.at = load_cursor(cursor_path(plan.state, receiver, stream));
  SpoolReader reader(stream_directory(plan.spool, stream), row.at, 0);
  std::vector<ReadEvent> events;
  do {
    events.clear();
    GH_CHECK(reader.read(events, 1024, 1U << 20U));
    for (const ReadEvent& e : events) {
      if (row.lag_events == 0) {
        row.lag_seconds =
            static_cast<double>(std::max<std::int64_t>(0, core::wall_clock_us() - e.event.appended_us)) / 1e6;
      }
      ++row.lag_events;
      row.lag_bytes += e.event.line.size();
    }
  } while (!events.empty());
  row.lost = reader.position().lost;
  row.dropped = reader.position().dropped;
  row.behind = row.lag_seconds > behind_after_seconds;
  return row;
}

std::string as_json(const std::vector<Row>& rows, bool good) {
  std::string out;
  core::JsonWriter json(out);
  json.begin_object().field("ok", good).key("sinks").begin_array();
  for (const Row& r : rows) {
    json.begin_object().field("receiver", r.receiver).field("stream", r.stream);
    json.field("segment", r.at.segment).field("offset", r.at.offset);
    json.field("last_event_id", r.at.last.sequence == 0 ? "" : r.at.last.to_string());
    json.field("delivered", r.at.events).field("lag_events", r.lag_events).field("lag_bytes", r.lag_bytes);
    json.field("lag_seconds", r.lag_seconds).field("behind", r.behind);
    json.field("lost", r.lost).field("dropped", r.dropped).field("damages", r.at.damages).end_object();
  }
  json.end_array().end_object();
  return out + '\n';
}

}  // namespace

core::Result<int> status_verb(const core::Args& args) {
  GH_TRY(const ForwardPlan plan, load_plan(args));
  GH_TRY(const std::uint64_t behind_s, args.uint("--behind", 60, 0, 86'400 * 365));
  GH_TRY(const auto streams, list_streams(plan.spool));
  std::vector<Row> rows;
  for (const SinkSettings& sink : plan.sinks) {
    for (const std::string& stream : streams) {
      GH_TRY(Row row, measure(plan, sink.receiver.name, stream, static_cast<double>(behind_s)));
      rows.push_back(std::move(row));
    }
  }
  const bool good = std::all_of(rows.begin(), rows.end(), [](const Row& r) { return r.good(); });
  std::string text;
  if (args.json()) {
    text = as_json(rows, good);
  } else {
    text = fmt::format("{:<16} {:<12} {:>10} {:>8} {:>10} {:>8} {:>6} {:>8}  {}\n", "RECEIVER", "STREAM",
                       "DELIVERED", "WAITING", "BYTES", "AGE", "LOST", "DROPPED", "STATE");
    for (const Row& r : rows) {
      text += fmt::format("{:<16} {:<12} {:>10} {:>8} {:>10} {:>7.1f}s {:>6} {:>8}  {}\n", r.receiver,
                          r.stream, r.at.events, r.lag_events, r.lag_bytes, r.lag_seconds, r.lost, r.dropped,
                          r.behind                      ? "behind"
                          : r.lost > 0 || r.dropped > 0 ? "lossy"
                                                        : "ok");
    }
  }
  GH_CHECK(core::print_result(text));
  return good ? core::kExitDone : core::kExitNo;
}

}  // namespace gatehouse::soc
