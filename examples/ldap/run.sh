#!/bin/sh
# Checks passwords by LDAP binds and prints their results. For names and passwords of up to 110 bytes together.
set -eu

octal() {
  printf '\\%03o' "$1"
}

bind() {
  [ -n "$2" ] || { echo 'an empty password binds as nobody' >&2; exit 1; }
  body=$((3 + 2 + ${#1} + 2 + ${#2}))
  answer=$(
    printf "\\060$(octal $((3 + 2 + body)))\\2\\1\\1\\140$(octal $body)\\2\\1\\3\\4$(octal ${#1})%s\\200$(octal ${#2})%s" "$1" "$2" |
      curl -sS --fail-with-body --oauth2-bearer "$SOCKPOOL_TOKEN" --data-binary @- \
        "$SOCKPOOL_URL/v1/exchange?target=directory" |
      od -An -v -tx1 | tr -d ' \n'
  )
  # The result is the first element of one byte that is an ENUMERATED.
  rest=${answer#*0a01}
  echo "$2: $((0x${rest%"${rest#??}"}))"
}

bind uid=ada,ou=people,dc=example,dc=org 'correct horse'
bind uid=ada,ou=people,dc=example,dc=org wrong
