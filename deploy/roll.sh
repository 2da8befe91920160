#!/usr/bin/env bash
# A deploy without lost requests: each replica in turn is removed from nginx, drained, replaced and added again.
#
#   deploy/roll.sh packshot-1 packshot-2        after `docker compose build` or `pull`
#
# nginx must know in advance: a replica refuses new work from its SIGTERM on. It answers a later POST with 503, which nginx
# does not pass to another replica. tests/deploy runs this script with processes in place of containers.
#
# REPLICAS_FILE: nginx's list.  RELOAD: makes nginx read it.  REPLACE: called with a replica's name; stops the old one
# with SIGTERM, starts the new one and returns when it is ready.
set -euo pipefail
cd "$(dirname "$0")"
file=${REPLICAS_FILE:-nginx/replicas.conf}
reload=${RELOAD:-docker compose exec -T nginx nginx -s reload}
replace=${REPLACE:-docker compose up --detach --no-deps --force-recreate --wait}

all=$(<"$file")
[ $# -gt 0 ] || { echo "usage: roll.sh REPLICA..." >&2; exit 64; }
# Write into the same file, not a new one: a container sees the mounted file. nginx reads it at the next reload.
trap 'printf "%s\n" "$all" >"$file"' EXIT

for name in "$@"; do
    others=$(grep -v "^server $name[: ]" <<<"$all" || true)
    [ "$others" != "$all" ] || { echo "$name is not in $file" >&2; exit 64; }
    grep -q '^server ' <<<"$others" || { echo "$name is the only replica: a deploy would stop the service" >&2; exit 64; }
    printf '%s\n' "$others" >"$file"
    $reload
    sleep 1 # after this nginx's old workers take no new requests; they finish those in flight
    $replace "$name" || {
        echo "$name did not become ready, and gets no requests; the replicas after it are unchanged." >&2
        echo "See its log, fix the cause, and run roll.sh again." >&2
        exit 1
    }
    printf '%s\n' "$all" >"$file"
    $reload
    echo "$name is replaced"
done
