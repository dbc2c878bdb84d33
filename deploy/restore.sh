#!/bin/sh
# Restores what deploy/backup.sh made, into an empty database and an instance folder that is not there yet.
#   DATABASE_URL=... BASTION_INSTANCE=... deploy/restore.sh FOLDER
# As the user that Bastion runs as, or the files are not its own. Start Bastion afterwards: it brings the schema up to
# date if the backup is an older version's.
set -eu
umask 077
from=${1:?wants the folder that backup.sh made}
instance=${BASTION_INSTANCE:?is not set}
url=${DATABASE_URL:-sqlite:///$instance/bastion.db}
case $url in
  sqlite*) file=${url#*:///} ;;
  *) file=$instance ;;
esac
for made in "$instance" "$file"; do
  if test -e "$made"; then
    echo "$made is there already" >&2
    exit 1
  fi
done
mkdir "$instance"
tar -C "$instance" -xf "$from/instance.tar"

case $url in
  sqlite*)
    cp "$from/bastion.db" "$file"
    ;;
  *)
    . "$(dirname "$0")/postgresql_url.sh"
    pg_restore --exit-on-error --single-transaction --no-owner --dbname="$url" "$from/bastion.dump"
    ;;
esac
echo "restored from $from"
