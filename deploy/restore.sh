#!/bin/sh
# Restores what deploy/backup.sh made, into an empty database and an instance folder that is not there yet.
#   DATABASE_URL=... BASTION_INSTANCE=... deploy/restore.sh FOLDER
# Start Bastion afterwards: it brings the schema up to date if the backup is an older version's.
set -eu
umask 077
from=${1:?wants the folder that backup.sh made}
instance=${BASTION_INSTANCE:?is not set}
url=${DATABASE_URL:-sqlite:///$instance/bastion.db}
mkdir "$instance"
tar -C "$instance" -xf "$from/instance.tar"

case $url in
  sqlite*)
    file=${url#*:///}
    if test -e "$file"; then
      echo "$file is there already" >&2
      exit 1
    fi
    cp "$from/bastion.db" "$file"
    ;;
  *)
    pg_restore --exit-on-error --single-transaction --no-owner \
      --dbname="$(printf %s "$url" | sed 's/^postgres[a-z]*\(+[a-z0-9]*\)\{0,1\}:/postgresql:/')" "$from/bastion.dump"
    ;;
esac
echo "restored from $from"
