#!/bin/sh
# The test of two hosts needs nginx. As root on Debian it is installed, and not started; elsewhere this says what to do.
for name in "$NGINX" nginx /usr/sbin/nginx /opt/homebrew/bin/nginx; do
  if [ -n "$name" ] && command -v "$name" >/dev/null 2>&1; then exit 0; fi
done
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
  echo "Installing nginx for the test of two hosts"
  apt-get update -qq && DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 apt-get install -y -qq --no-install-recommends nginx-light >/dev/null && exit 0
fi
echo "The test of two hosts needs nginx: install it (Debian: sudo apt-get install nginx-light; macOS: brew install nginx)," >&2
echo "or set NGINX to its path." >&2
exit 1
