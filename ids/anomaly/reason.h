// Why a verdict was reached and what would have prevented it, in words: for events and for people who ask.
#pragma once

#include <string_view>

#include "ids/anomaly/classes.h"

namespace gatehouse::ids::anomaly {

std::string_view reason_of(Verdict verdict);
std::string_view prevention_of(Verdict verdict);

}  // namespace gatehouse::ids::anomaly
