#!/bin/sh
# One login per process, each a member of exactly one role of migrations/core/V1__roles.sql. The roles st_keys and
# st_audit have none: keys are rotated and raw answers are read by whoever may run migrations. Runs after the migrations, as often as you like.
set -eu

secrets=${ST_SECRETS_DIR:-/run/secrets}

PGPASSWORD=$(cat "$secrets/postgres_password")
export PGPASSWORD
for role in api gateway relay projector worker sheets notifier; do
    psql --host="${PGHOST:-postgres}" --username=postgres --dbname=stock_tracker --quiet --set=ON_ERROR_STOP=1 \
        --set=login="login_$role" --set=role="st_$role" --set=password="$(cat "$secrets/password_$role")" <<'SQL'
SELECT format('CREATE ROLE %I LOGIN NOSUPERUSER NOBYPASSRLS', :'login')
 WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = :'login') \gexec
ALTER ROLE :"login" PASSWORD :'password';
GRANT :"role" TO :"login";
SQL
done
