#include "soc/sinks/sink.h"

namespace gatehouse::soc {

#define ROW(name) extern const SinkType k_##name##_sink;
#include "soc/sinks/sink_table.inc"
#undef ROW

std::vector<const SinkType*> sink_types() {
  return {
#define ROW(name) &k_##name##_sink,
#include "soc/sinks/sink_table.inc"
#undef ROW
  };
}

core::Result<std::unique_ptr<Sink>> make_sink(const SinkSettings& settings) {
  for (const SinkType* type : sink_types()) {
    if (type->kind == settings.receiver.kind) return type->make(settings);
  }
  return core::fail(core::Errc::unsupported, "receiver " + settings.receiver.name + ": no sink of its kind",
                    settings.receiver.where);
}

}  // namespace gatehouse::soc
