# Writes each machine's own etc, var and srv below $run before it starts. Nothing is copied from
# the host's configuration but the linker's cache, the alternatives and the time zone. Sourced by `lab`.

root_prepare() {
  local name=$1 root="$run/$1"
  mkdir -p "$root"/{etc/gatehouse,etc/ssl,var/log,var/lib,var/spool,var/tmp,srv,root/.ssh,usr-extra/bin}
  chmod 711 "$root"
  chmod 700 "$root/root" "$root/root/.ssh"
  cp /etc/ld.so.cache "$root/etc/"
  # Libraries in /usr that are links through here (nmap's libblas).
  cp -a /etc/alternatives "$root/etc/"
  cp -L /etc/localtime "$root/etc/" 2>/dev/null || true
  [ ! -f /etc/ssl/openssl.cnf ] || cp /etc/ssl/openssl.cnf "$root/etc/ssl/"
  cat >"$root/etc/passwd" <<'EOF'
root:x:0:0:root:/root:/bin/bash
www-data:x:33:33:www-data:/var/www:/usr/sbin/nologin
sshd:x:105:65534::/run/sshd:/usr/sbin/nologin
postfix:x:106:106::/var/spool/postfix:/usr/sbin/nologin
gatehouse:x:107:107::/var/lib/gatehouse:/usr/sbin/nologin
webadm:x:1001:1001::/srv/www:/usr/bin/webadm-shell
oper:x:1002:1002::/srv/customerdb:/usr/bin/operator-shell
nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin
EOF
  cat >"$root/etc/group" <<'EOF'
root:x:0:
tty:x:5:
adm:x:4:
shadow:x:42:
www-data:x:33:
postfix:x:106:
gatehouse:x:107:
postdrop:x:108:
webadm:x:1001:
oper:x:1002:
nogroup:x:65534:
EOF
  # A password that really works wherever passwords are accepted.
  local hash
  hash=$(openssl passwd -6 -salt gatehouse "$password")
  awk -F: -v hash="$hash" '{print $1 ":" ($3 > 1000 && $3 < 2000 ? hash : "*") ":20000:0:99999:7:::"}' \
    "$root/etc/passwd" >"$root/etc/shadow"
  cp "$root/etc/shadow" "$root/etc/gshadow"
  chmod 600 "$root/etc/shadow" "$root/etc/gshadow"
  cat >"$root/etc/nsswitch.conf" <<'EOF'
passwd: files
group: files
shadow: files
hosts: files
services: files
protocols: files
EOF
  cat >"$root/etc/hosts" <<'EOF'
127.0.0.1 localhost
::1 localhost
10.66.1.10 front www.web-mail.example mail.web-mail.example
10.66.2.10 bastion
10.66.3.10 collector collector.soc.example
EOF
  printf 'smtp 25/tcp\nhttp 80/tcp\nhttps 443/tcp\nssh 22/tcp\n' >"$root/etc/services"
  : >"$root/etc/resolv.conf"
}

# What stands on the server: a page, and a customer database that user and group do not protect,
# so that only mandatory access control can.
front_files() {
  local root="$run/front"
  mkdir -p "$root"/srv/{www,customerdb} "$root/etc/ssh" "$root/etc/ssl/private/web" \
    "$root"/var/{log/nginx,lib/nginx,log/mail,www,empty}
  echo '<!doctype html><title>web-mail</title><p>welcome' >"$root/srv/www/index.html"
  echo 'name,card' >"$root/srv/customerdb/customers.csv"
  echo 'Ada Example,4000-0000-0000-0002' >>"$root/srv/customerdb/customers.csv"
  chown -R 1001:1001 "$root/srv/www"
  chmod 755 "$root/srv/customerdb"
  chmod 644 "$root/srv/customerdb/customers.csv"
  chmod 711 "$root/etc/ssl/private" "$root/etc/ssl/private/web"
  cp -r "$servers"/etc/nginx "$servers"/etc/postfix "$root/etc/"
  install -m 755 "$lab_dir/decoys" "$root/usr-extra/bin/gatehouse-decoys"
  install -m 755 "$lab_dir/decoys" "$run/outside/usr-extra/bin/gatehouse-decoys"
  install -m 755 "$support/soc-receiver" "$run/collector/usr-extra/bin/gatehouse-soc-receiver"
  role_shell webadm-shell web-shell
  role_shell operator-shell operator-shell
}

# role_shell PROGRAM DOMAIN: the login shell of a role runs the session in the role's domain.
role_shell() {
  local start="exec $tools/mac run $site $2 -- /bin/bash \"\$@\""
  [ -z "${without[mac]:-}" ] || start='exec /bin/bash "$@"'
  printf '#!/bin/bash\n%s\n' "$start" >"$run/front/usr-extra/bin/$1"
  chmod 755 "$run/front/usr-extra/bin/$1"
}

roots_prepare() {
  local name
  for name in "${machines[@]}"; do root_prepare "$name"; done
  front_files
}
