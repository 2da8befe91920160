#!/usr/bin/env bash
# A deploy without a lost request: replica after replica is taken out of nginx, drained, replaced and put back.
#
#   deploy/roll.sh packshot-1 packshot-2        after `docker compose build` or `pull`
#
# nginx has to be told: a replica refuses new work from the moment of its SIGTERM, and a POST that was sent to it then
# is answered with 503, which nginx does not send on. tests/deploy runs this script with processes in place of containers.
#
# REPLICAS_FILE: nginx's list.  RELOAD: makes nginx read it.  REPLACE: called with a replica's name, stops the old one
# with SIGTERM, starts the new one and returns when that is ready.
set -euo pipefail
cd "$(dirname "$0")"
file=${REPLICAS_FILE:-nginx/replicas.conf}
reload=${RELOAD:-docker compose exec -T nginx nginx -s reload}
replace=${REPLACE:-docker compose up --detach --no-deps --force-recreate --wait}

all=$(<"$file")
[ $# -gt 0 ] || { echo "usage: roll.sh REPLICA..." >&2; exit 64; }
# Into the same file, not a new one: a container sees the file that was mounted. nginx reads it with the next reload.
trap 'printf "%s\n" "$all" >"$file"' EXIT

for name in "$@"; do
    others=$(grep -v "^server $name[: ]" <<<"$all" || true)
    [ "$others" != "$all" ] || { echo "$name is not in $file" >&2; exit 64; }
    grep -q '^server ' <<<"$others" || { echo "$name is the only replica: a deploy would stop the service" >&2; exit 64; }
    printf '%s\n' "$others" >"$file"
    $reload
    sleep 1 # nginx's old workers take no new request after this; those in flight go on
    $replace "$name" || {
        echo "$name did not become ready, and gets no requests; the replicas after it are as they were." >&2
        echo "See its log, mend it, and call roll.sh again." >&2
        exit 1
    }
    printf '%s\n' "$all" >"$file"
    $reload
    echo "$name is new"
done
