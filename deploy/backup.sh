#!/bin/sh
# Backs up a running Bastion: the database that DATABASE_URL names, and the files of BASTION_INSTANCE.
#   DATABASE_URL=... BASTION_INSTANCE=... deploy/backup.sh FOLDER
# FOLDER is made and must not be there yet. What it holds are secrets and prompts: it is for its owner alone.
# Needs pg_dump no older than the server for PostgreSQL, and python3. docs/operations.md has the drill.
set -eu
umask 077
to=${1:?wants the folder to make}
instance=${BASTION_INSTANCE:?is not set}
url=${DATABASE_URL:-sqlite:///$instance/bastion.db}
case $url in
  sqlite*) database=$(basename "${url#*:///}") ;;
  *) database=bastion.db ;;
esac
mkdir "$to"

# Accounts, tokens, key, audit log, and what waits in the spool: replayed, it is stored once. They come before the
# database, because an event goes from the spool into the database, and must not be seen in neither.
tar -C "$instance" -cf "$to/instance.tar" --warning=no-file-changed \
  --exclude=./cache --exclude=./rules.kept --exclude=./backups --exclude='./state.db*' \
  --exclude="./$database" --exclude="./$database-*" --exclude="./$database.migrating" . || test $? = 1

case $url in
  sqlite*)
    # One step: others go on writing to the log meanwhile, and the copy is of one moment.
    python3 - "${url#*:///}" "$to/bastion.db" <<'END'
import sqlite3, sys
source = sqlite3.connect(f"file:{sys.argv[1]}?mode=ro", uri=True)
copy = sqlite3.connect(sys.argv[2])
source.backup(copy)
found = copy.execute("PRAGMA integrity_check").fetchone()[0]
sys.exit(0 if found == "ok" else f"the copy is damaged: {found}")
END
    ;;
  *)
    . "$(dirname "$0")/postgresql_url.sh"
    pg_dump --format=custom --file="$to/bastion.dump" --dbname="$url"
    ;;
esac
sync
echo "backed up to $to"
