#!/bin/sh
# Asks PostgreSQL through the forward, where PGHOST and PGPORT say that it listens.
set -eu

psql -h "${PGHOST:-127.0.0.1}" -p "${PGPORT:-6432}" -U postgres -d test -Atc 'SELECT 6 * 7'
