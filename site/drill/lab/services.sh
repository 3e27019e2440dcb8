# The services of the lab: the real servers of the unpacked packages, with configuration written
# here. Sourced by `lab`.

# The web site's certificate and the SOC's, from an authority each.
certificates_make() {
  "$support/make-certs" "$run/pki/web" www.web-mail.example unused.example
  "$support/make-certs" "$run/pki/soc" collector.soc.example gatehouse.web-mail.example 10.66.3.10 fd66:3::10
  local front="$run/front/etc/ssl/private/web" soc="$run/gatehouse/etc/gatehouse/soc"
  install -m 644 "$run/pki/web/server.pem" "$front/web.pem"
  install -m 600 "$run/pki/web/server.key" "$front/web.key"
  mkdir -p "$run/outside/etc/gatehouse" "$soc" "$run/gatehouse"/var/{spool,log}/gatehouse
  install -m 644 "$run/pki/web/ca.pem" "$run/outside/etc/gatehouse/ca.pem"
  install -m 644 "$run/pki/soc/ca.pem" "$run/pki/soc/client.pem" "$soc/"
  install -m 640 -g 107 "$run/pki/soc/client.key" "$soc/"
  mkdir -p "$run/collector/etc/soc"
  cp "$run"/pki/soc/{ca.pem,server.pem,server.key} "$run/collector/etc/soc/"
}

nginx_up() {
  local root="$run/front" tls='ssl_protocols TLSv1.2 TLSv1.3;' port80='return 301 https://$host$request_uri;'
  [ -z "${without[tls]:-}" ] || {
    tls='ssl_protocols TLSv1 TLSv1.1 TLSv1.2; ssl_ciphers ALL:@SECLEVEL=0;'
    port80='root /srv/www;'
  }
  cat >"$root/etc/nginx/nginx.conf" <<EOF
user www-data;
worker_processes 2;
pid /run/nginx/nginx.pid;
error_log /var/log/nginx/error.log;
events { worker_connections 1024; }
http {
  access_log /var/log/nginx/access.log;
  client_body_temp_path /var/lib/nginx/body;
  proxy_temp_path /var/lib/nginx/proxy;
  fastcgi_temp_path /var/lib/nginx/fastcgi;
  uwsgi_temp_path /var/lib/nginx/uwsgi;
  scgi_temp_path /var/lib/nginx/scgi;
  server_tokens off;
  server {
    listen 80 backlog=4096;
    listen [::]:80 backlog=4096;
    $port80
  }
  server {
    listen 443 ssl;
    listen [::]:443 ssl;
    ssl_certificate /etc/ssl/private/web/web.pem;
    ssl_certificate_key /etc/ssl/private/web/web.key;
    $tls
    root /srv/www;
    # A real and common mistake: without the final slash after "files", /files../ leaves the alias.
    location /files { alias /srv/www/; }
  }
}
EOF
  in_machine front mkdir -p /run/nginx
  local -a command=(/usr/sbin/nginx -g 'daemon off;')
  # shellcheck disable=SC2206
  [ -n "${without[seccomp]:-}" ] || command=($seccomp_run "${command[@]}")
  # shellcheck disable=SC2206
  [ -n "${without[mac]:-}" ] || command=($mac_run web -- "${command[@]}")
  start_in front nginx.start.log "${command[@]}"
}

postfix_up() {
  local root="$run/front" trusted=127.0.0.0/8 recipients='inline:{info=1, orders=1}'
  [ -z "${without[mail-rules]:-}" ] || trusted=0.0.0.0/0 recipients=
  cat >"$root/etc/postfix/main.cf" <<EOF
compatibility_level = 3.6
myhostname = mail.web-mail.example
mydestination = web-mail.example
inet_interfaces = all
inet_protocols = all
mynetworks = $trusted
alias_maps =
alias_database =
local_recipient_maps = $recipients
default_transport = discard
local_transport = discard
smtpd_relay_restrictions = permit_mynetworks, reject_unauth_destination
smtpd_helo_required = yes
disable_vrfy_command = yes
smtpd_peername_lookup = no
maillog_file = /var/log/mail/postfix.log
EOF
  cat >"$root/etc/postfix/master.cf" <<'EOF'
smtp      inet  n - n - - smtpd
pickup    unix  n - n 60 1 pickup
cleanup   unix  n - n - 0 cleanup
qmgr      unix  n - n 300 1 qmgr
tlsmgr    unix  - - n 1000? 1 tlsmgr
rewrite   unix  - - n - - trivial-rewrite
bounce    unix  - - n - 0 bounce
defer     unix  - - n - 0 bounce
trace     unix  - - n - 0 bounce
discard   unix  - - n - - discard
proxymap  unix  - - n - - proxymap
anvil     unix  - - n - 1 anvil
scache    unix  - - n - 1 scache
postlog   unix-dgram n - n - 1 postlogd
EOF
  mkdir -p "$root/var/lib/postfix" "$root/var/spool/postfix"
  chown 106:106 "$root/var/lib/postfix"
  in_machine front postfix check >>"$root/var/log/postfix.start.log" 2>&1 || true
  local -a command=(/usr/lib/postfix/sbin/master -d -c /etc/postfix)
  # shellcheck disable=SC2206
  [ -n "${without[mac]:-}" ] || command=($mac_run mail -- "${command[@]}")
  start_in front postfix.start.log "${command[@]}"
}

# The user authority and the roles' certificates, as `harden ca` makes them from the site policy;
# and what an intruder might hold instead. A role's key is called like the role.
sshd_keys() {
  local keys="$run/keys" bastion="$run/bastion/root/.ssh" front="$run/front/etc/gatehouse/ssh" name
  mkdir -m 700 "$keys"
  "$bin/harden" ca init "$keys/ca" >/dev/null
  for name in other-ca host; do ssh-keygen -q -t ed25519 -N '' -C "$name" -f "$keys/$name"; done
  for name in web-admin operator stranger forged plain; do
    ssh-keygen -q -t ed25519 -N '' -C "$name" -f "$bastion/$name"
  done
  local sign=("$bin/harden" ca sign "$site_file" --ca "$keys/ca" --valid 2h)
  "${sign[@]}" --role web-admin --person ana --key "$bastion/web-admin.pub" >/dev/null
  "${sign[@]}" --role operator --person cy --key "$bastion/operator.pub" >/dev/null
  # Our authority, but no role of this account; and the right role from an authority nobody trusts.
  ssh-keygen -q -s "$keys/ca/user-ca" -I stranger -n visitor -V -5m:+2h "$bastion/stranger.pub"
  ssh-keygen -q -s "$keys/other-ca" -I forged -n web-admin -V -5m:+2h "$bastion/forged.pub"
  printf '#!/bin/sh\necho %s\n' "$password" >"$bastion/askpass"
  chmod 700 "$bastion/askpass"
  mkdir -p "$front"
  cp "$keys/ca/user-ca.pub" "$front/"
  install -m 600 "$keys/host" "$front/ssh_host_ed25519_key"
  cp "$keys/host.pub" "$front/ssh_host_ed25519_key.pub"
  for name in 10.66.1.10 fd66:1::10; do echo "$name $(cut -d' ' -f1,2 "$keys/host.pub")"; done |
    tee "$bastion/known_hosts" >"$run/outside/root/.ssh/known_hosts"
}

sshd_up() {
  local front="$run/front/etc/gatehouse/ssh" config=/etc/gatehouse/ssh/sshd_config
  if [ -n "${without[sshd]:-}" ]; then
    sshd_without_safeguard "$front"
  else
    "$bin/harden" sshd "$site_file" --out "$front" >/dev/null
    [ -z "${without[sshd-certificates]:-}" ] || cp "$run/keys/other-ca.pub" "$front/user-ca.pub"
  fi
  in_machine front mkdir -p -m 755 /run/sshd
  in_machine front /usr/sbin/sshd -t -f "$config" || die 3 "sshd refuses its configuration"
  start_in front sshd.log /usr/sbin/sshd -D -e -f "$config"
}

# Passwords, and any key the account lists.
sshd_without_safeguard() {
  local authorized="$run/front/etc/ssh/authorized"
  mkdir -p "$authorized"
  cat "$run"/bastion/root/.ssh/{plain,forged,stranger}.pub >"$authorized/webadm"
  cat >"$1/sshd_config" <<'EOF'
HostKey /etc/gatehouse/ssh/ssh_host_ed25519_key
PasswordAuthentication yes
UsePAM no
AuthorizedKeysFile /etc/ssh/authorized/%u
EOF
}

# The SOC's receiver: rsyslog with mutual TLS. It notes when each event came.
collector_up() {
  start_in collector rsyslog.log /usr/bin/gatehouse-soc-receiver / /etc/soc 6514 /var/log/received \
    gatehouse.web-mail.example /var/spool
}

decoys_up() {
  start_in front decoys.log /usr/bin/gatehouse-decoys 3306,8080 53,123,161,514
  # Where a server that has been taken over would call home to.
  start_in outside decoys.log /usr/bin/gatehouse-decoys 4444 ''
}

# wait_port MACHINE PORT: until something there listens on TCP PORT.
wait_port() {
  local tries
  for ((tries = 0; tries < 150; tries++)); do
    [ -z "$(in_machine "$1" ss -Hltn "sport = :$2")" ] || return 0
    sleep 0.1
  done
  tail -n 5 "$run/$1"/var/log/*.log >&2
  die 3 "nothing listens on port $2 of $1"
}

services_up() {
  certificates_make
  sshd_keys
  collector_up
  sshd_up
  decoys_up
  local -a ports=(22 3306 8080)
  [ -n "${without[web]:-}" ] || { nginx_up; ports+=(80 443); }
  [ -n "${without[mail]:-}" ] || { postfix_up; ports+=(25); }
  wait_port collector 6514
  local port
  for port in "${ports[@]}"; do wait_port front "$port"; done
  wait_port outside 4444
}
