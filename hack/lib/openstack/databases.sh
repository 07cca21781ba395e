# The databases of a bed: made once, kept as cache/databases-KEY.tar.gz, unpacked at every start after that. Source it.

# What the databases depend on: another key is another cache.
cache_key() {
  (
    cd "$here/hack/lib/openstack"
    cat requirements.txt configure.py bootstrap.py databases.sh
    echo "$bed $address $base_port $services"
    cat "$bed/cache/secret"
  ) | sha256sum | cut -c 1-16
}

# The bed's own password, for every account in it; the databases hold it.
make_secret() {
  [ -s "$bed/cache/secret" ] || (umask 077 && head -c 18 /dev/urandom | base64 | tr '/+' 'ab' >"$bed/cache/secret")
}

sql() { mariadb --no-defaults --socket="$bed/run/mariadb.socket" --user=root --batch --skip-column-names "$@"; }

start_mariadb() {
  start_service mariadb
  until sql -e 'select 1' >/dev/null 2>&1; do
    [ -n "$(pid_of mariadb)" ] || die "MariaDB has ended: see $bed/logs/mariadb.log"
    sleep 0.05
  done
}

# Databases of the wanted services, as this start finds them.
ready_databases() {
  local archive
  archive=$bed/cache/databases-$(cache_key).tar.gz
  rm -rf "$bed/data"
  mkdir -p "$bed/data"
  python configure.py
  # Beside all that follows.
  start_service epmd
  start_service rabbitmq
  if [ -f "$archive" ]; then
    tar -xzf "$archive" -C "$bed/data"
    start_mariadb
    told "databases, from the cache"
    return
  fi
  mariadb-install-db --no-defaults --datadir="$bed/data/mariadb" --auth-root-authentication-method=socket \
    --auth-root-socket-user="$(id -un)" --user="$(id -un)" --skip-test-db --skip-log-bin \
    >"$bed/logs/mariadb-install.log" 2>&1 || die "no databases: see $bed/logs/mariadb-install.log"
  start_mariadb
  told "MariaDB"
  make_schemas
  told "schemas"
  bootstrap_keystone
  told "Keystone's accounts and catalogue"
  # A copy of files at rest. Keystone connects again by itself.
  stop_process mariadb 20
  # The few last ones stay: for other services or ports.
  find "$bed/cache" -name 'databases-*' -printf '%T@ %p\n' | sort -rn | tail -n +4 | cut -d ' ' -f 2- | xargs -r rm -f
  tar -cz --sparse -f "$archive.new" -C "$bed/data" mariadb keys
  mv "$archive.new" "$archive"
  start_mariadb
  told "databases kept for the next start"
}

# manage NAME COMMAND...: a service's own administration, its output in a log.
manage() {
  local name=$1
  shift
  env "${python_environment[@]}" "$@" >"$bed/logs/$name.log" 2>&1 9>&- || die "$name failed: see $bed/logs/$name.log"
}

nova_schemas() {
  local nova=("$bed/venv/bin/nova-manage" --config-file "$bed/conf/nova/nova.conf") secret
  secret=$(cat "$bed/cache/secret")
  manage nova-api-schema "${nova[@]}" api_db sync
  manage nova-cell0 "${nova[@]}" cell_v2 map_cell0 \
    --database_connection "mysql+pymysql://bed:$secret@$address:$(port_of mariadb)/nova_cell0"
  manage nova-schema "${nova[@]}" db sync
  manage nova-cell1 "${nova[@]}" cell_v2 create_cell --name cell1
}

make_schemas() {
  local bin=$bed/venv/bin conf=$bed/conf names=(keystone) name jobs=() job failed=no
  if wants cinder; then names+=(cinder); fi
  if wants manila; then names+=(manila); fi
  if wants nova; then names+=(placement nova_api nova nova_cell0); fi
  {
    echo "create user 'bed'@'%' identified by '$(cat "$bed/cache/secret")';"
    for name in "${names[@]}"; do echo "create database $name; grant all on $name.* to 'bed'@'%';"; done
  } | sql
  (manage keystone-schema "$bin/keystone-manage" --config-file "$conf/keystone/keystone.conf" db_sync) 9>&- & jobs+=($!)
  if wants nova; then
    (nova_schemas) 9>&- & jobs+=($!)
    (manage placement-schema "$bin/placement-manage" --config-dir "$conf/placement" db sync) 9>&- & jobs+=($!)
  fi
  for name in cinder manila; do
    if wants $name; then
      (manage $name-schema "$bin/$name-manage" --config-file "$conf/$name/$name.conf" db sync) 9>&- & jobs+=($!)
    fi
  done
  for job in "${jobs[@]}"; do wait "$job" || failed=yes; done
  [ $failed = no ] || die "not all schemas were made"
}

# What keystone-manage fernet_setup and credential_setup make, in no time: the next key (0) and the present one (1).
make_keys() {
  local key
  mkdir -p "$bed/data/keys/$1"
  for key in 0 1; do
    (umask 077 && head -c 32 /dev/urandom | base64 | tr '+/' '-_' >"$bed/data/keys/$1/$key")
  done
}

bootstrap_keystone() {
  local keystone=("$bed/venv/bin/keystone-manage" --config-file "$bed/conf/keystone/keystone.conf") url secret
  url=http://$address:$(port_of keystone)/v3
  secret=$(cat "$bed/cache/secret")
  make_keys fernet
  make_keys credential
  OS_BOOTSTRAP_PASSWORD=$secret manage keystone-bootstrap "${keystone[@]}" bootstrap --bootstrap-username admin \
    --bootstrap-project-name admin --bootstrap-role-name admin --bootstrap-service-name keystone \
    --bootstrap-region-id RegionOne --bootstrap-public-url "$url" --bootstrap-internal-url "$url" \
    --bootstrap-admin-url "$url"
  start_service keystone
  await 300 keystone
  python bootstrap.py
}
