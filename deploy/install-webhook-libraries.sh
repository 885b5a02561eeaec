#!/bin/sh
# Puts the official libraries that receivers of webhooks verify with into .tools/ of this checkout, where they are
# missing: a test holds our signatures against them. Versions are fixed, so that the test answers the same everywhere.
# Running it again changes nothing. Which registries are asked is the business of pip's and npm's own settings.
set -eu

root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
place="$root/.tools/standard-webhooks"
python_version=1.1.0
node_version=1.1.1
# What the library for JavaScript needs, fixed as well.
node_needs='@stablelib/base64@1.0.1 fast-sha256@1.3.0'

say() { printf 'install-webhook-libraries: %s\n' "$*"; }
die() { printf 'install-webhook-libraries: %s\n' "$*" >&2; exit 1; }

# Beside its final place, so that the last step is a rename: a half-installed library is never found.
scratch=''
trap '[ -z "$scratch" ] || rm -rf "$scratch"' EXIT
trap 'exit 130' INT TERM

install_python() {
    target="$place/python-$python_version"
    if [ -d "$target" ]; then
        say "the library for Python is there ($python_version)"
        return
    fi
    command -v python3 >/dev/null 2>&1 || die "python3 with pip is needed to fetch the package standardwebhooks"
    python3 -m pip --version >/dev/null 2>&1 || die "python3 has no pip; install it (Debian: apt-get install python3-pip)"
    say 'fetching the library for Python'
    scratch=$(mktemp -d "$place/fetch.XXXXXX")
    python3 -m pip download --quiet --disable-pip-version-check --no-deps --only-binary :all: \
        --dest "$scratch" "standardwebhooks==$python_version" ||
        die "the Python package standardwebhooks $python_version could not be fetched"
    # Unpacked and not installed: no virtual environment is needed, which a fresh Debian cannot make.
    python3 - "$scratch" <<'PYTHON' || die "the package standardwebhooks cannot be unpacked"
import glob, sys, zipfile

scratch = sys.argv[1]
with zipfile.ZipFile(glob.glob(scratch + "/*.whl")[0]) as archive:
    archive.extractall(scratch + "/unpacked")
PYTHON
    mv "$scratch/unpacked" "$target"
    rm -rf "$scratch"
    say "installed the library for Python ($python_version)"
}

install_node() {
    target="$place/node-$node_version"
    if [ -d "$target" ]; then
        say "the library for JavaScript is there ($node_version)"
        return
    fi
    if ! command -v node >/dev/null 2>&1; then
        say 'there is no node on this machine: the library for JavaScript is left out, and its test says so'
        return
    fi
    command -v npm >/dev/null 2>&1 || die "node is here without npm; install it (Debian: apt-get install npm)"
    say 'fetching the library for JavaScript'
    scratch=$(mktemp -d "$place/fetch.XXXXXX")
    # shellcheck disable=SC2086 # a list of packages
    npm install --prefix "$scratch" --silent --no-save --no-package-lock --no-audit --no-fund --ignore-scripts \
        "standardwebhooks@$node_version" $node_needs ||
        die "the npm package standardwebhooks $node_version could not be fetched"
    mv "$scratch" "$target"
    scratch=''
    say "installed the library for JavaScript ($node_version)"
}

mkdir -p "$place"
install_python
install_node
