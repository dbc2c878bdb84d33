#!/bin/sh
# The browser tests need a Chromium. As root on Debian it is installed; elsewhere this says what to do.
for name in "$CHROMIUM" chromium chromium-browser google-chrome google-chrome-stable \
  "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome" "/Applications/Chromium.app/Contents/MacOS/Chromium"; do
  if [ -n "$name" ] && command -v "$name" >/dev/null 2>&1; then exit 0; fi
done
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
  echo "Installing Chromium for the browser tests"
  apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium >/dev/null && exit 0
fi
echo "The browser tests need Chromium or Chrome: install it (Debian: sudo apt-get install chromium;" >&2
echo "macOS: brew install --cask chromium), or set CHROMIUM to its path." >&2
exit 1
