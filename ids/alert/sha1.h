// SHA-1 (RFC 3174), for Community IDs only: an identifier there, never a protection.
#pragma once

#include <array>
#include <cstdint>

#include "core/bytes.h"

namespace gatehouse::ids::alert {

std::array<std::uint8_t, 20> sha1(core::ByteView data);

}  // namespace gatehouse::ids::alert
