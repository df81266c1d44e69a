#!/bin/sh
# Asks the box by `ssh`, whose configuration says `ProxyCommand sockpool connect %n`.
set -eu

ssh box 'echo $((6 * 7))'
