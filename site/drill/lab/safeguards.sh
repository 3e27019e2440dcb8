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

# The detection engine gives up root: it needs its folders as its own.
ids_up() {
  local folder tries
  for folder in var/spool/gatehouse var/log/gatehouse/ids; do
    mkdir -p "$run/gatehouse/$folder"
    chown 107:107 "$run/gatehouse/$folder"
  done
  supervised gatehouse ids.log "$tools/ids" run --site "$site" --spool /var/spool/gatehouse \
    --log-dir /var/log/gatehouse/ids --user gatehouse
  # It watches when its packet sockets are there.
  for ((tries = 0; tries < 300; tries++)); do
    [ "$(in_machine gatehouse wc -l </dev/null /proc/net/packet | cut -d' ' -f1)" -le 1 ] || return 0
    sleep 0.1
  done
  tail -n 20 "$run/gatehouse/var/log/ids.log" >&2
  die 3 "ids does not watch"
}

safeguards_up() {
  [ -n "${without[firewall]:-}" ] || firewall_up
  [ -n "${without[socfwd]:-}" ] || socfwd_up
  [ -n "${without[ids]:-}" ] || ids_up
}
