#!/usr/bin/env bash
# Start a real S3 server on loopback: Ceph's RADOS gateway with one monitor and one store in memory, from Debian packages
# that are only unpacked, never installed. Usage: s3_server.sh FOLDER PORT. The folder may hold the packages' content
# already, in FOLDER/root; else it is fetched, 105 MB. The server stays until its processes, in FOLDER/run-PORT/*.pid, end.
set -euo pipefail
folder=$(mkdir -p "$1" && cd "$1" && pwd) port=$2
root=$folder/root run=$folder/run-$port
exec 9>"$folder/lock"; flock 9  # two that start at once bring the packages once
if [ ! -x "$root/usr/bin/radosgw" ]; then
  mkdir -p "$folder/packages/partial" "$root"
  apt-get install -y -qq --download-only --no-install-recommends -o "Dir::Cache::archives=$folder/packages" \
    radosgw ceph-mon ceph-osd >/dev/null
  for package in "$folder"/packages/*.deb; do dpkg -x "$package" "$root"; done
fi
exec 9>&-
LD_LIBRARY_PATH=$(find "$root/usr/lib" "$root/lib" -type d \
  \( -name '*-linux-gnu' -o -name ceph -o -name blas -o -name lapack \) 2>/dev/null | tr '\n' ':')
export LD_LIBRARY_PATH
libraries=$(dirname "$(find "$root/usr/lib" -type d -name rados-classes | head -1)")
rm -rf "$run"; mkdir -p "$run/mon" "$run/osd"; touch "$run/keyring"
cluster=11111111-2222-3333-4444-555555555555 monitor=127.0.0.1:$((port + 1))
cat >"$run/ceph.conf" <<CONF
[global]
fsid = $cluster
mon_host = v1:$monitor
mon_initial_members = a
auth_cluster_required = none
auth_service_required = none
auth_client_required = none
ms_bind_ipv6 = false
public_network = 127.0.0.0/8
run_dir = $run
admin_socket = $run/\$name.asok
pid_file = $run/\$name.pid
log_file = $run/\$name.log
mon_data = $run/mon
osd_data = $run/osd
osd_objectstore = memstore
memstore_device_bytes = 2147483648
osd_class_dir = $libraries/rados-classes
osd_class_load_list = *
osd_class_default_list = *
plugin_dir = $libraries/ceph
erasure_code_dir = $libraries/ceph/erasure-code
osd_erasure_code_plugins =
compressor_plugin_dir =
osd_pool_default_size = 1
osd_pool_default_min_size = 1
osd_pool_default_pg_num = 4
osd_pool_default_pgp_num = 4
osd_pool_default_pg_autoscale_mode = off
mon_allow_pool_size_one = true
mon_max_pg_per_osd = 1000
osd_crush_chooseleaf_type = 0
mon_data_avail_crit = 1
mon_osd_min_in_ratio = 0
keyring = $run/keyring
rgw_frontends = beast endpoint=127.0.0.1:$port
rgw_dns_name = 127.0.0.1
mon_warn_on_insecure_global_id_reclaim = false
CONF
bin=$root/usr/bin with=(-c "$run/ceph.conf") store=$(cat /proc/sys/kernel/random/uuid)
"$bin/monmaptool" --create --fsid "$cluster" --addv a "[v1:$monitor]" "$run/monmap" >/dev/null
"$bin/ceph-mon" "${with[@]}" -i a --mkfs --monmap "$run/monmap"
"$bin/ceph-mon" "${with[@]}" -i a
# Whoever asks a monitor in its first second may be refused ("wrong fsid"): it has not said yet which cluster it is.
again() { for _ in 1 2 3 4 5 6 7 8; do "$@" && return; sleep .5; done; return 1; }
again env PYTHONPATH="$root/usr/lib/python3/dist-packages" timeout 20 /usr/bin/python3 "$bin/ceph" "${with[@]}" \
  osd new "$store" 0
"$bin/ceph-osd" "${with[@]}" -i 0 --mkfs --osd-uuid "$store"
again "$bin/ceph-osd" "${with[@]}" -i 0
for user in test limited; do
  timeout 60 "$bin/radosgw-admin" "${with[@]}" user create --uid=$user --display-name=$user \
    --access-key=$user-access --secret-key=$user-secret >/dev/null 2>&1
done
"$bin/radosgw" "${with[@]}" -n client.rgw --rgw-zone=default
for _ in $(seq 150); do
  curl -s -o /dev/null "http://127.0.0.1:$port/" && exit 0
  sleep .2
done
echo "the S3 server did not answer" >&2
exit 1
