// Who is suspected and who is a victim right now: a table for people, as JSON.
#pragma once

#include <map>
#include <memory>
#include <string>

#include "core/os.h"
#include "core/result.h"
#include "ids/anomaly/view.h"
#include "ids/triage/desk.h"

namespace gatehouse::ids::engine {

// An attack that goes on, told or not.
struct OpenAttack {
  anomaly::Verdict verdict = anomaly::Verdict::scan_vertical;
  triage::Fate fate = triage::Fate::told;
  std::string why_hidden;  // the reason of the exception
  std::int64_t first_us = 0, last_us = 0;
  core::IpAddress source, target;
  std::uint64_t sources = 0, targets = 0;
  double confidence = 0;
};
using OpenAttacks = std::map<std::uint64_t, OpenAttack>;  // by id

// One line of JSON.
std::string top_json(const anomaly::MonitorView& view, const OpenAttacks& attacks);

// A local socket that answers every connection with a line and closes it. Mode 0600: it shows addresses.
class TopSocket {
 public:
  // Replaces a socket that nobody listens on; anything else at `path` is an error.
  static core::Result<std::unique_ptr<TopSocket>> open(const std::string& path);
  ~TopSocket();
  TopSocket(const TopSocket&) = delete;
  TopSocket& operator=(const TopSocket&) = delete;

  // Is somebody waiting? Then answer().
  bool asked();
  // Never waits for who asked longer than a fifth of a second.
  void answer(std::string_view line);

 private:
  TopSocket(std::string path, core::UniqueFd listener)
      : path_(std::move(path)), listener_(std::move(listener)) {}
  std::string path_;
  core::UniqueFd listener_, client_;
};

// What `path` says; for `ids anomaly top`.
core::Result<std::string> ask_top(const std::string& path);

}  // namespace gatehouse::ids::engine
