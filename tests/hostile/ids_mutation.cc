// Feeds corrupted captures to the whole detection pipeline. Meant for the sanitizer build: it
// passes when nothing crashes, nothing is reported and no packet takes longer than the limit, in
// processor time: a busy machine is no hang.
//
// usage: ids_mutation [--packets N] [--seed N] [--limit SECONDS] [--rules FILE] PATH...
//   PATH: a capture file, a case of `ids test`, or a folder of either.
//   N corrupted packets are made of every capture. A failing run is repeated by its --seed.
#include <fmt/format.h>

#include <cstdlib>
#include <filesystem>
#include <random>
#include <span>
#include <string>
#include <vector>

#include "core/os.h"
#include "ids/capture/pcap_file.h"
#include "ids/casetest/case.h"
#include "ids/engine/rule_set.h"
#include "ids/engine/worker.h"

namespace {

using namespace gatehouse;
using namespace gatehouse::ids;
using testing::Bytes;
using testing::Frame;
namespace fs = std::filesystem;

constexpr std::size_t kMostFrames = 5'000;  // of one capture
// A short capture is played again and again to one worker: to make one takes longer than to play most
// captures.
constexpr std::uint64_t kPacketsOfWorker = 2'000;

struct Options {
  std::uint64_t packets = 200'000;
  std::uint64_t seed = 1;
  double limit_s = 10;
  std::string rules;
  std::vector<std::string> paths;
};

struct Capture {
  std::string name;
  int link_type = kLinkEthernet;
  std::vector<Frame> frames;
};

// Mutations that reach behind the first length check: fields keep their places, values do not.
class Mutator {
 public:
  explicit Mutator(std::uint64_t seed) : random_(seed) {}

  // True when the frame was changed.
  bool maybe(Frame& frame, const Capture& capture) {
    if (frame.data.empty() || below(3) != 0) return false;
    const std::size_t times = 1 + below(4);
    for (std::size_t i = 0; i < times && !frame.data.empty(); ++i) once(frame.data, capture);
    return true;
  }
  std::size_t below(std::size_t limit) { return limit == 0 ? 0 : random_() % limit; }

 private:
  void once(Bytes& data, const Capture& capture) {
    const std::size_t at = below(data.size());
    switch (below(8)) {
      case 0:
        data[at] = static_cast<std::uint8_t>(data[at] ^ (1U << below(8)));
        break;
      case 1:
        data[at] = kEdges[below(std::size(kEdges))];
        break;
      case 2:
        data.resize(at);
        break;
      case 3:  // a 16-bit field, as lengths are
        if (at + 1 < data.size()) {
          data[at] = kEdges[below(std::size(kEdges))];
          data[at + 1] = static_cast<std::uint8_t>(random_());
        }
        break;
      case 4:
        data.insert(data.begin() + static_cast<std::ptrdiff_t>(at), 1 + below(40),
                    static_cast<std::uint8_t>(random_()));
        break;
      case 5:
        data.erase(data.begin() + static_cast<std::ptrdiff_t>(at),
                   data.begin() + static_cast<std::ptrdiff_t>(std::min(data.size(), at + 1 + below(20))));
        break;
      case 6:  // the head of this packet, the tail of another
        splice(data, at, capture.frames[below(capture.frames.size())].data);
        break;
      default:  // text digits and line ends: what protocols in words hang on
        data[at] = static_cast<std::uint8_t>(kLetters[below(kLetters.size())]);
        break;
    }
  }
  void splice(Bytes& data, std::size_t at, const Bytes& other) {
    data.resize(at);
    if (at < other.size())
      data.insert(data.end(), other.begin() + static_cast<std::ptrdiff_t>(at), other.end());
  }

  static constexpr std::uint8_t kEdges[] = {0x00, 0x01, 0x7f, 0x80, 0xfe, 0xff};
  static constexpr std::string_view kLetters = "0189\r\n:;,=%-\"\\ \t\0zA";
  std::mt19937_64 random_;
};

class Collect : public PacketSink {
 public:
  explicit Collect(Capture& capture) : capture_(capture) {}
  void on_packet(const RawPacket& packet) override {
    capture_.link_type = packet.link_type;
    if (capture_.frames.size() < kMostFrames)
      capture_.frames.push_back({Bytes(packet.data.begin(), packet.data.end()), packet.time_us});
  }

 private:
  Capture& capture_;
};

void read_capture(const std::string& path, std::vector<Capture>& out) {
  Capture capture;
  capture.name = path;
  auto source = open_pcap_file(path);
  if (!source) return fmt::print(stderr, "skipped: {}\n", source.error().to_string());
  Collect collect(capture);
  // A damaged file is as good as a whole one: what came before the damage is used.
  for (auto state = (*source)->dispatch(collect, 1024); state && *state != SourceState::end;)
    state = (*source)->dispatch(collect, 1024);
  if (!capture.frames.empty()) out.push_back(std::move(capture));
}

void read_case(const std::string& directory, std::vector<Capture>& out) {
  core::Diagnostics diagnostics;
  const fs::path before = fs::current_path();
  fs::current_path(directory);
  auto test = casetest::load_case(directory, diagnostics);
  fs::current_path(before);
  if (!test || test->frames.empty()) return;
  out.push_back({directory, kLinkEthernet, std::move(test->frames)});
}

std::vector<Capture> read_all(const Options& options) {
  std::vector<Capture> out;
  for (const std::string& path : options.paths) {
    if (fs::is_regular_file(path)) {
      read_capture(path, out);
      continue;
    }
    if (const auto cases = casetest::find_cases(path)) {
      for (const std::string& directory : *cases) read_case(directory, out);
    }
    for (const auto& entry : fs::recursive_directory_iterator(path)) {
      const std::string extension = entry.path().extension().string();
      if (extension == ".pcap" || extension == ".pcapng") read_capture(entry.path().string(), out);
    }
  }
  return out;
}

struct Result {
  std::uint64_t corrupted = 0, played = 0;
  double slowest_s = 0;
};

// Passes over the capture with a worker of their own.
void play(const Capture& capture, const engine::Settings& settings, const engine::RuleSet& rules,
          engine::OutputPort& port, Mutator& mutator, Result& result) {
  engine::Worker worker(settings, rules.engine, port, {});
  const auto timed = [&](auto&& work) {
    const double start_s = core::cpu_seconds();
    work();
    result.slowest_s = std::max(result.slowest_s, core::cpu_seconds() - start_s);
  };
  std::uint64_t number = 0;
  while (number < kPacketsOfWorker) {
    for (std::size_t i = 0; i < capture.frames.size(); ++i) {
      Frame frame = capture.frames[mutator.below(20) == 0 ? mutator.below(capture.frames.size()) : i];
      if (mutator.maybe(frame, capture)) ++result.corrupted;
      timed([&] { worker.on_packet(testing::raw_packet(frame, ++number, capture.link_type)); });
    }
  }
  result.played += number;
  timed([&] { worker.finish(); });
}

int run(const Options& options) {
  const std::string config = "{capture.checksum: none, stream.checksum-validation: false}";
  const core::SourceText text("mutation", config);
  core::Diagnostics diagnostics;
  engine::SettingsInput input;
  input.config = &text;
  const auto settings = engine::load_settings(input, diagnostics);
  if (!settings) {
    fmt::print(stderr, "{}", diagnostics.render_all());
    return 2;
  }
  const auto rules = engine::load_rule_set({options.rules}, *settings, diagnostics);
  if (!rules || rules->loaded == 0) {
    fmt::print(stderr, "no rules: {}\n", rules ? diagnostics.render_all() : rules.error().to_string());
    return 2;
  }
  const std::vector<Capture> captures = read_all(options);
  if (captures.empty()) {
    fmt::print(stderr, "no captures\n");
    return 2;
  }
  engine::Output output(1, engine::WhenFull::drop);  // nobody reads the events
  Result total;
  for (const Capture& capture : captures) {
    Mutator mutator(options.seed);
    Result result;
    // Captures of empty packets must end, too.
    while (result.corrupted < options.packets && result.played < options.packets * 100)
      play(capture, *settings, *rules, output.port(0), mutator, result);
    total.corrupted += result.corrupted;
    total.played += result.played;
    total.slowest_s = std::max(total.slowest_s, result.slowest_s);
    if (result.slowest_s > options.limit_s) {
      fmt::print("{}: one packet took {:.1f} s (seed {})\n", capture.name, result.slowest_s, options.seed);
      return 1;
    }
  }
  fmt::print("{} captures, {} packets played, {} of them corrupted, slowest {:.3f} s\n", captures.size(),
             total.played, total.corrupted, total.slowest_s);
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  for (int i = 1; i < argc; ++i) {
    const std::string_view word = argv[i];
    const bool more = i + 1 < argc;
    if (word == "--packets" && more) {
      options.packets = std::strtoull(argv[++i], nullptr, 10);
    } else if (word == "--seed" && more) {
      options.seed = std::strtoull(argv[++i], nullptr, 10);
    } else if (word == "--limit" && more) {
      options.limit_s = std::strtod(argv[++i], nullptr);
    } else if (word == "--rules" && more) {
      options.rules = argv[++i];
    } else if (word.starts_with("--")) {
      fmt::print(stderr, "usage: ids_mutation [--packets N] [--seed N] [--limit S] --rules FILE PATH...\n");
      return 2;
    } else {
      options.paths.emplace_back(word);
    }
  }
  if (options.paths.empty() || options.rules.empty()) {
    fmt::print(stderr, "name --rules and at least one capture\n");
    return 2;
  }
  return run(options);
}
