#!/bin/sh
# Fills deploy/secrets with what the composition needs, each in a file of its own. What is there already stays, so
# that a second run never changes the password of a database that exists.
set -eu
umask 077

folder=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)/secrets
roles='api gateway relay projector worker sheets'

# put FILE: writes standard input into it, unless it is there.
put() {
    if [ -e "$folder/$1" ]; then cat >/dev/null; else cat >"$folder/$1"; fi
}

random() { od -An -N "$1" -t x1 /dev/urandom | tr -d ' \n'; }

command -v openssl >/dev/null 2>&1 || { echo 'make-secrets: openssl is needed to make the signing key' >&2; exit 1; }

random 24 | put postgres_password
printf 'postgres://postgres:%s@postgres/stock_tracker' "$(cat "$folder/postgres_password")" | put database_url_admin
for role in $roles; do
    random 24 | put "password_$role"
    printf 'postgres://login_%s:%s@postgres/stock_tracker' "$role" "$(cat "$folder/password_$role")" |
        put "database_url_$role"
done
printf 'nats://nats:4222' | put nats_url
printf 'v1:%s' "$(head -c 32 /dev/urandom | base64)" | put master_key
openssl genpkey -algorithm ed25519 | put jwt_key
: | put google_service_account

# The containers run as the number of deploy/Dockerfile and have to read them.
chmod 755 "$folder"
if [ "$(id -u)" -eq 0 ]; then
    chown 10001:10001 "$folder"/*
    chmod 400 "$folder"/*
else
    chmod 644 "$folder"/*
    echo 'make-secrets: not run as root, so every account of this machine can read them'
fi
echo "make-secrets: $folder is filled; put the key of your Google service account into google_service_account"
