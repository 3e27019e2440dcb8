// A sink's acknowledged position in a stream, on disk: STATE/<sink>/<stream>.cursor.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "core/result.h"
#include "soc/spool/reader.h"

namespace gatehouse::soc {

std::string cursor_text(const Position& position);
// Nothing when it is damaged.
std::optional<Position> parse_cursor(std::string_view text);

// Survives a crash at any moment: the old or the new position is there.
core::Status save_cursor(const std::string& path, const Position& position);
// The start of the stream when there is no cursor, and, with a warning, when it is damaged: then
// events are delivered again, under the same identity, rather than lost.
Position load_cursor(const std::string& path);

std::string cursor_path(const std::string& state, std::string_view sink, std::string_view stream);

}  // namespace gatehouse::soc
