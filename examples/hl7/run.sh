#!/bin/sh
# Sends an HL7 message and prints how it was acknowledged.
set -eu

printf '\013%s\r%s\r\034\r' \
  'MSH|^~\&|LAB|EAST|ADT|WEST|20260301120000||ADT^A01|7|P|2.7' \
  'PID|1||4711||LOVELACE^ADA' |
  curl -sS --fail-with-body --oauth2-bearer "$SOCKPOOL_TOKEN" --data-binary @- \
    "$SOCKPOOL_URL/v1/exchange?target=hospital" |
  tr '\r\034' '\n\n' | awk -F'|' '$1 == "MSA" { if ($3 != "7") exit 1; print $2, $3 }'
