#include "ids/engine/event_files.h"

#include "ids/engine/event_log.h"

namespace gatehouse::ids::engine {

void write_file_object(core::JsonWriter& json, const TransferredFile& file,
                       const FileObjectOptions& options) {
  constexpr std::string_view kStates[] = {"UNKNOWN", "CLOSED", "TRUNCATED", "ERROR"};
  const auto digest = [&](std::string_view name, FileHash hash) {
    if (const auto bytes = file.digest(hash)) json.field(name, hex_text(*bytes));
  };
  json.field("filename", file.name);
  if (!file.sids.empty() && file.storing()) {
    json.key("sid").begin_array();
    for (const std::uint32_t sid : file.sids) json.number(sid);
    json.end_array();
  }
  if (options.magic && !file.magic().empty()) json.field("magic", file.magic());
  json.field("gaps", file.gaps);
  const bool cut = file.is_open() && options.over;
  json.field("state", cut ? kStates[2] : kStates[static_cast<std::size_t>(file.state)]);
  digest("md5", FileHash::md5);
  digest("sha1", FileHash::sha1);
  digest("sha256", FileHash::sha256);
  const bool stored = file.stored() && (!file.is_open() || options.over);
  json.field("stored", stored);
  if (stored) json.field("file_id", file.store_id());
  if (!stored && file.stored()) json.field("storing", true);
  json.field("size", file.size);
  if (file.range) json.field("start", (*file.range)[0]).field("end", (*file.range)[1]);
  json.field("tx_id", file.tx_id);
}

// Told when rules have seen all of it, because they may want it stored.
void EventLog::files(const Packet& packet, const Flow& flow, Transaction& tx, bool last) {
  for (TransferredFile& file : tx.files) {
    if (file.logged || (!last && (file.is_open() || !file.inspected))) continue;
    file.logged = true;
    if (file.is_open()) file.close(FileState::truncated);
    ++counters_.files;
    if (!files_ && !file.storing()) continue;
    alert::EventHeader header = flow_header(flow, packet, file.direction);
    header.event_type = "fileinfo";
    writer_.begin(header);
    protocol_object(flow, tx, alert_options_);
    core::JsonWriter& json = writer_.member("fileinfo").begin_object();
    write_file_object(json, file, {magic_, true});
    json.end_object();
    const std::string_view line = writer_.end();
    file.finish_store(std::string(line.substr(0, line.find_last_not_of('\n') + 1)));
    if (files_) port_.write(EventKind::transaction, line);
  }
}

void EventLog::files_of_alert(const Transaction& tx, Direction direction) {
  core::JsonWriter* json = nullptr;
  for (const TransferredFile& file : tx.files) {
    if (file.direction != direction || file.logged) continue;
    if (json == nullptr) json = &writer_.member("files").begin_array();
    json->begin_object();
    write_file_object(*json, file, {magic_, false});
    json->end_object();
  }
  if (json != nullptr) json->end_array();
}

}  // namespace gatehouse::ids::engine
