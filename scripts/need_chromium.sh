#!/bin/sh
# Makes sure that there is a Chromium for the browser tests; on Debian and Ubuntu it installs one.
set -eu

if command -v chromium >/dev/null || command -v chromium-browser >/dev/null; then
    exit 0
fi
if ! command -v apt-get >/dev/null; then
    echo "The browser tests need Chromium: install it, so that 'chromium' is a command." >&2
    exit 1
fi
as_root() { if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi; }
export DEBIAN_FRONTEND=noninteractive
as_root apt-get update -qq
as_root apt-get install -qq -y --no-install-recommends chromium fonts-liberation >/dev/null
