#!/bin/sh
# Buys for 50.00 and prints type, response code and trace number of the answer.
set -eu

pan=4761739001010119
processing=000000 amount=000000005000 time=0301120000 trace=000042 terminal=TERM0001 currency=840
fields="${#pan}$pan$processing$amount$time$trace$terminal$currency"

# Behind the length and the type: the bits of the fields 1 (there are 128), 2, 3, 4, 7, 11, 41 and 49.
answer=$(
  printf "\\000\\$(printf %03o $((4 + 16 + ${#fields})))%s\\362\\040\\0\\0\\0\\200\\200\\0\\0\\0\\0\\0\\0\\0\\0\\000%s" 0200 "$fields" |
    curl -sS --fail-with-body --oauth2-bearer "$SOCKPOOL_TOKEN" --data-binary @- "$SOCKPOOL_URL/v1/exchange?target=bank" |
    LC_ALL=C tr -c '0-9A-Z' .
)
# In the answer 3, 4 and 7 stand before 11, and 39 right behind it.
printf '%s\n' "$answer" | awk '{ print substr($0, 3, 4), substr($0, 57, 2), substr($0, 51, 6) }'
