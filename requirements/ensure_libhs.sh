#!/bin/sh
# Hyperscan makes detection fast with many rules; without it google-re2 does the work. As root on Debian it is installed,
# elsewhere this says what to do.
if "${1:-python3}" -c 'import ctypes; ctypes.CDLL("libhs.so.5")' 2>/dev/null \
  || "${1:-python3}" -c 'import ctypes; ctypes.CDLL("libhs.5.dylib")' 2>/dev/null; then exit 0; fi
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
  echo "Installing Hyperscan"
  apt-get update -qq
  for package in libhyperscan5 libvectorscan5; do
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $package >/dev/null 2>&1 && exit 0
  done
fi
echo "Hyperscan is missing, so thousands of rules are slower than they could be. Install it: Debian and Ubuntu" >&2
echo "sudo apt-get install libhyperscan5 (or libvectorscan5), macOS brew install vectorscan." >&2
exit 1
