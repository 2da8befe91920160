#!/usr/bin/env bash
# Creates the secrets for compose.yaml in deploy/secrets (ignored by git). Keeps existing secrets.
set -euo pipefail
cd "$(dirname "$0")"
umask 077
mkdir -p secrets

# The files are readable for uid 10001 of the container; only the owner can enter the folder itself.
make() {
    [ -e "secrets/$1" ] && return
    cat >"secrets/$1"
    chmod 0444 "secrets/$1"
}

make url_secrets <<<"$(openssl rand -hex 32)"
make database_password <<<"$(openssl rand -hex 24)"
make database_url <<<"postgresql://packshot:$(cat secrets/database_password)@postgresql:5432/packshot"
name=packshot secret=$(openssl rand -hex 24)
if [ ! -e secrets/s3.env ]; then
    make s3.env <<<"AWS_ACCESS_KEY_ID=$name"$'\n'"AWS_SECRET_ACCESS_KEY=$secret"
    make minio.env <<<"MINIO_ROOT_USER=$name"$'\n'"MINIO_ROOT_PASSWORD=$secret"
fi
echo "secrets/ is complete"
