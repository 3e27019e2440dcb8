// site.yaml to the typed model, with every mistake reported at its line and column.
#pragma once

#include <optional>
#include <string>

#include "core/diag.h"
#include "site/model/site.h"

namespace gatehouse::site {

// Parses and cross-checks. Returns nothing when there is any error; warnings do not stop it.
// Paths inside the file (rules, certificates) stay as written: resolve them with resolve_path().
std::optional<Site> load_site(const core::SourceText& source, core::Diagnostics& diagnostics);
// The same for a file ("-" is standard input); an unreadable file is an Error.
core::Result<std::optional<Site>> load_site_file(const std::string& path, core::Diagnostics& diagnostics);

// A path named in the site file: absolute as it is, else relative to the site file's directory.
// The entries of a list of addresses; mistakes become diagnostics. Disjoint, not adjacent, ascending.
std::vector<AddressRange> parse_blocklist(const core::SourceText& source, core::Diagnostics& diagnostics);
std::vector<AddressRange> merged(std::vector<AddressRange> ranges);

std::string resolve_path(const Site& site, const std::string& path);

}  // namespace gatehouse::site
