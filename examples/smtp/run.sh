#!/bin/sh
# Sends a mail over a lease of a submission server.
set -eu

call() {
  method=$1 path=$2
  shift 2
  curl -sS --fail-with-body --oauth2-bearer "$SOCKPOOL_TOKEN" -X "$method" "$@" "$SOCKPOOL_URL$path"
}

reply() {
  text=$(call POST "$lease/readframe")
  printf '%s\n' "$text"
  case $text in "$1"*) ;; *) exit 1 ;; esac
}

release() {
  call DELETE "$lease" | sed 's/.*"outcome":"\([a-z]*\)","reason":"\([a-z_]*\)".*/\1 \2/'
  echo
}

lease=$(call POST /v1/leases --json '{"target":"mail"}' | sed 's|.*"id":"\([^"]*\)","target".*|/v1/leases/\1|')
trap release EXIT

printf 'MAIL FROM:<app@example.com>\r\nRCPT TO:<ada@example.org>\r\nDATA\r\n' |
  call POST "$lease/write" --data-binary @- -o /dev/null
for code in 250 250 354; do reply $code; done
printf 'Subject: Lunch\r\n\r\nAt noon?\r\n.\r\n' | call POST "$lease/write" --data-binary @- -o /dev/null
reply 250
