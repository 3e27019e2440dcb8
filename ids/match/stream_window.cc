#include "ids/match/stream_window.h"

#include <algorithm>

#include "ids/flow/tcp.h"

namespace gatehouse::ids {
namespace {

// Inspected stream bytes that stay in the window, so that contents across a chunk border meet.
constexpr std::size_t kOverlap = 2560;

}  // namespace

StreamView take_stream(Flow* flow, const FlowDetect* state, Direction direction) {
  StreamView view;
  if (flow == nullptr || !flow->tcp || flow->key.protocol != kProtoTcp) return view;
  auto window = flow->tcp->inspectable(direction);
  std::uint64_t end = window.offset + window.data.size();
  std::uint64_t scanned = std::clamp(state->scanned_to[index(direction)], window.offset, end);
  // All before a gap was seen: what follows it is a window of its own.
  while (scanned == end && window.gap_follows) {
    flow->tcp->release_inspected(direction, end);
    window = flow->tcp->inspectable(direction);
    end = window.offset + window.data.size();
    scanned = std::clamp(scanned, window.offset, end);
  }
  if (scanned == end) return view;
  view.old = static_cast<std::size_t>(scanned - window.offset);
  view.data = window.data;
  view.base = window.offset;
  return view;
}

void finish_stream(Flow* flow, FlowDetect* state, Direction direction, const StreamView& view) {
  if (view.data.empty()) return;
  const std::uint64_t end = view.base + view.data.size();
  state->scanned_to[index(direction)] = end;
  const std::uint64_t kept = end - std::min<std::uint64_t>(kOverlap, view.data.size());
  std::erase_if(state->waiting[index(direction)],
                [&](const FlowDetect::Waiting& w) { return w.until <= kept; });
  if (view.data.size() > kOverlap) flow->tcp->release_inspected(direction, end - kOverlap);
}

void release_stream(Flow& flow, Direction direction) {
  auto window = flow.tcp->inspectable(direction);
  for (bool more = true; more; window = flow.tcp->inspectable(direction)) {
    more = window.gap_follows;
    flow.tcp->release_inspected(direction, window.offset + window.data.size());
  }
}

}  // namespace gatehouse::ids
