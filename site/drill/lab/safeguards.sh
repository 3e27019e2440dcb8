# Puts the site policy in force on the lab's machines with the project's own programs. Sourced by `lab`.

mac_run="$tools/mac run $site"
seccomp_run="$tools/harden run /usr/share/gatehouse/rules/hardening/web-server.yaml --"

firewall_up() {
  local log="$run/gatehouse/var/log/fwctl.log"
  in_machine gatehouse "$tools/gatehouse" apply "$site" --only firewall >"$log" 2>&1 ||
    { cat "$log" >&2; die 3 "the firewall was not applied"; }
}

# Runs a daemon again whenever it ends, as a service manager would.
supervised() {
  local machine=$1 log=$2
  shift 2
  start_in "$machine" "$log" bash -c 'while :; do "$@"; echo "ended with status $?"; sleep 0.3; done' supervisor "$@"
}

socfwd_up() {
  supervised gatehouse socfwd.log "$tools/socfwd" run "$site"
}

safeguards_up() {
  [ -n "${without[firewall]:-}" ] || firewall_up
  [ -n "${without[socfwd]:-}" ] || socfwd_up
}
