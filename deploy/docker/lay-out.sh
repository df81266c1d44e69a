#!/bin/sh
# Lays out a folder as the image holds it: the package as npm packs it, with the dependencies that package-lock.json pins,
# and nothing of the checkout besides. Runs no script of any dependency.
#
#   lay-out.sh FOLDER [TARBALL]
#
# TARBALL is one that npm has packed; default: packs the checkout, which builds it. PACKAGES names what is to be installed
# beside it, as for npm install.
set -eu
top=$(cd "$(dirname "$0")/../.." && pwd)
folder=$1
tarball=${2:-}
mkdir -p "$folder"
if [ -z "$tarball" ]; then
  packed=$(mktemp -d)
  trap 'rm -r "$packed"' EXIT
  (cd "$top" && npm pack --silent --pack-destination "$packed" >&2)
  tarball=$(echo "$packed"/sockpool-*.tgz)
fi
tar -xzf "$tarball" -C "$folder" --strip-components=1
cp "$top/package-lock.json" "$folder/"
cd "$folder"
quiet="--ignore-scripts --no-audit --no-fund --prefer-offline"
# shellcheck disable=SC2086 # These are several words.
npm ci --omit=dev $quiet >&2
# shellcheck disable=SC2086
[ -z "${PACKAGES:-}" ] || npm install --no-save --save-prod --omit=dev $quiet $PACKAGES >&2
rm package-lock.json
# Whoever runs it may read everything, and change nothing.
chmod -R a+rX,go-w .
