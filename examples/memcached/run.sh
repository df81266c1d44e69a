#!/bin/sh
# Sets a key of memcached and gets it: each command is one request.
set -eu

ask() {
  curl -sS --fail-with-body --oauth2-bearer "$SOCKPOOL_TOKEN" --data-binary @- "$SOCKPOOL_URL/v1/exchange?target=memo"
}

value=hello
printf 'set greeting 0 60 %d\r\n%s\r\n' "${#value}" "$value" | ask
printf 'get greeting\r\n' | ask
