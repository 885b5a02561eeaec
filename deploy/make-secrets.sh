#!/bin/sh
# Fills deploy/secrets with what the composition needs, each in a file of its own. What is there already stays, so
# that a second run never changes the password of a database that exists.
set -eu
umask 077

folder=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)/secrets
roles='api gateway relay projector worker sheets notifier'

# put FILE: writes standard input into it, unless it is there.
put() {
    if [ -e "$folder/$1" ]; then cat >/dev/null; else cat >"$folder/$1"; fi
}

random() { od -An -N "$1" -t x1 /dev/urandom | tr -d ' \n'; }

# The program: ST_PROGRAM, or the image of the composition, which is built first.
stock_tracker() {
    if [ -n "${ST_PROGRAM:-}" ]; then "$ST_PROGRAM" "$@"; return; fi
    docker build --quiet --tag stock-tracker:local --file "$folder/../Dockerfile" "$folder/../.." >/dev/null
    mkdir -p "$folder/nats"
    docker run --rm --user 0 --volume "$folder:$folder" stock-tracker:local "$@"
}

command -v openssl >/dev/null 2>&1 || { echo 'make-secrets: openssl is needed to make the signing key' >&2; exit 1; }

random 24 | put postgres_password
printf 'postgres://postgres:%s@postgres/stock_tracker' "$(cat "$folder/postgres_password")" | put database_url_admin
for role in $roles; do
    random 24 | put "password_$role"
    printf 'postgres://login_%s:%s@postgres/stock_tracker' "$role" "$(cat "$folder/password_$role")" |
        put "database_url_$role"
done
printf 'nats://nats:4222' | put nats_url
# Seeds that are missing, and always the server's table of users, which an update of the program may change.
stock_tracker nats users "$folder/nats"
printf 'v1:%s' "$(head -c 32 /dev/urandom | base64)" | put master_key
openssl genpkey -algorithm ed25519 | put jwt_key
: | put google_service_account

# The containers run as the number of deploy/Dockerfile and have to read them.
chmod 755 "$folder" "$folder/nats"
if [ "$(id -u)" -eq 0 ]; then
    find "$folder" -type f -exec chown 10001:10001 {} + -exec chmod 400 {} +
    # The broker has an account of its own and needs public keys only.
    chmod 444 "$folder/nats/users.conf"
else
    find "$folder" -type f -exec chmod 644 {} +
    echo 'make-secrets: not run as root, so every account of this machine can read them'
fi
echo "make-secrets: $folder is filled; put the key of your Google service account into google_service_account"
