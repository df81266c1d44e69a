#!/bin/sh
# Asks an instrument who it is and what it measures.
set -eu

ask() {
  printf '%s\n' "$1" |
    curl -sS --fail-with-body --oauth2-bearer "$SOCKPOOL_TOKEN" --data-binary @- "$SOCKPOOL_URL/v1/exchange?target=meter"
}

ask '*IDN?'
ask 'MEAS:VOLT:DC?'
