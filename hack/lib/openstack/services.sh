# The services of a bed and how each is started. Source it; it needs $bed, $here, $address, $base_port, $services.

# In the order of their ports, from the base port on. "distribution" is RabbitMQ's port between nodes.
port_names=(mariadb rabbitmq distribution epmd keystone cinder nova placement manila stubs)
all_services=keystone,cinder,nova,manila

port_of() {
  local index
  for index in "${!port_names[@]}"; do
    if [ "${port_names[$index]}" = "$1" ]; then echo $((base_port + index)); fi
  done
}

wants() { [[ ,$services, == *,$1,* ]]; }

# The processes of the wanted services, in the order in which they start: those that answer without RabbitMQ while it
# comes up, then those that talk through it; nova-compute last, for it waits for nova-conductor.
processes() {
  printf '%s\n' mariadb epmd rabbitmq keystone
  if wants nova; then printf '%s\n' placement stubs nova-api; fi
  if wants cinder; then echo cinder-api; fi
  if wants manila; then echo manila-api; fi
  if wants nova; then echo nova-conductor; fi
  if wants cinder; then printf '%s\n' cinder-volume cinder-scheduler; fi
  if wants manila; then printf '%s\n' manila-share manila-scheduler; fi
  if wants nova; then printf '%s\n' nova-scheduler nova-compute; fi
}

# What the Python parts go by.
export_settings() {
  local name ports=
  for name in "${port_names[@]}"; do ports+="$name=$(port_of "$name") "; done
  export BED_DIRECTORY=$bed BED_ADDRESS=$address BED_SERVICES=$services BED_TOKEN_CACHE=$token_cache BED_PORTS=$ports
}

# python FILE ARGUMENT...: one of ours, in the bed's virtual environment.
python() { "$bed/venv/bin/python" -B "$here/hack/lib/openstack/$1" "${@:2}"; }

# The environment of services in Python. Their packages warn of much that is not ours.
python_environment=(
  "STOWAGE_OPENSTACK_BED=$bed" PYTHONWARNINGS=ignore "PYTHONPATH=$here/hack/lib/openstack" PYTHONDONTWRITEBYTECODE=1
  "OS_KEYSTONE_CONFIG_FILES=$bed/conf/keystone/keystone.conf" "OS_KEYSTONE_CONFIG_DIR=$bed/conf/keystone"
  "OS_NOVA_CONFIG_DIR=$bed/conf/nova" "OS_PLACEMENT_CONFIG_DIR=$bed/conf/placement"
)

# start_python NAME COMMAND...
start_python() { start_process "$1" env "${python_environment[@]}" "${@:2}"; }

# start_api NAME SERVICE MODULE [ARGUMENT]...
start_api() {
  local name=$1 service=$2
  shift 2
  start_python "$name" "$bed/venv/bin/python" "$here/hack/lib/openstack/serve.py" "$1" "$address" \
    "$(port_of "$service")" "${@:2}"
}

# Erlang's port mapper and RabbitMQ see nothing of a RabbitMQ that the system may have. What they say to each other
# stays on loopback whatever the address of the bed.
start_rabbitmq() {
  local conf=$bed/conf/rabbitmq data=$bed/data/rabbitmq
  mkdir -p "$data"
  # Threads of Erlang that spin while they wait would take a processor from the others.
  start_process rabbitmq env HOME="$data" ERL_EPMD_ADDRESS=127.0.0.1 ERL_EPMD_PORT="$(port_of epmd)" \
    RABBITMQ_NODENAME=bed@localhost RABBITMQ_NODE_IP_ADDRESS="$address" RABBITMQ_NODE_PORT="$(port_of rabbitmq)" \
    RABBITMQ_DIST_PORT="$(port_of distribution)" RABBITMQ_CONF_ENV_FILE="$conf/environment" \
    RABBITMQ_CONFIG_FILE="$conf/rabbitmq" RABBITMQ_ENABLED_PLUGINS_FILE="$conf/plugins" \
    RABBITMQ_MNESIA_BASE="$data" RABBITMQ_LOG_BASE="$bed/logs" RABBITMQ_LOGS=- RABBITMQ_PID_FILE="$data/pid" \
    RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS="-kernel inet_dist_use_interface {127,0,0,1} +sbwt none +sbwtdcpu none \
+sbwtdio none +S 1" /usr/lib/rabbitmq/bin/rabbitmq-server
}

start_service() {
  local bin=$bed/venv/bin conf=$bed/conf service=${1%%-*}
  case $1 in
    mariadb) start_process mariadb /usr/sbin/mariadbd --defaults-file="$conf/mariadb.cnf" ;;
    epmd) start_process epmd /usr/bin/epmd -address 127.0.0.1 -port "$(port_of epmd)" ;;
    rabbitmq) start_rabbitmq ;;
    keystone) start_api keystone keystone keystone.wsgi.api ;;
    placement) start_api placement placement placement.wsgi.api ;;
    nova-api) start_api nova-api nova nova.wsgi.osapi_compute ;;
    cinder-api | manila-api)
      start_api "$1" "$service" "$service.wsgi.api" --config-file "$conf/$service/$service.conf" ;;
    stubs) start_python stubs "$bed/venv/bin/python" "$here/hack/lib/openstack/stubs.py" "$address" \
      "$(port_of stubs)" ;;
    *) start_python "$1" "$bin/$1" --config-file "$conf/$service/$service.conf" ;;
  esac
}

# How long a service may take to end by itself, in seconds.
patience_of() {
  case $1 in
    mariadb | rabbitmq) echo 10 ;;
    *) echo 6 ;;
  esac
}
