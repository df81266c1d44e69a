#!/bin/sh
# Sets a key of Redis and gets it: each command is one request.
set -eu

ask() {
  curl -sS --fail-with-body --oauth2-bearer "$SOCKPOOL_TOKEN" --data-binary @- "$SOCKPOOL_URL/v1/exchange?target=cache"
}

printf 'SET greeting hello EX 60\r\n' | ask
printf 'GET greeting\r\n' | ask
