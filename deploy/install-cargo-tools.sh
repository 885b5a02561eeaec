#!/bin/sh
# Builds the named cargo tools into .tools/ of this checkout, where they are missing. `make deny` and `make sbom` need
# them and nothing else does, so nobody waits for them who does not ask. Versions are fixed, so that a check answers the
# same everywhere.
set -eu

tools="$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)/.tools"

for tool in "$@"; do
    case "$tool" in
        cargo-deny) version=0.20.2 ;;
        cargo-cyclonedx) version=0.5.9 ;;
        *) printf 'install-cargo-tools: no version is fixed for %s\n' "$tool" >&2; exit 2 ;;
    esac
    [ -x "$tools/bin/$tool" ] || cargo install --locked --root "$tools" --version "$version" "$tool"
done
