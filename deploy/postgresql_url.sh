# Read by backup.sh and restore.sh: makes $url one that PostgreSQL's own programs take, with its password in PGPASSWORD.
# What stands on a command line can be read by everybody on the host.
PGPASSWORD_OF_URL=$(printf %s "$url" | python3 -c '
import sys, urllib.parse
print(urllib.parse.unquote(urllib.parse.urlsplit(sys.stdin.read()).password or ""), end="")')
if test -n "$PGPASSWORD_OF_URL"; then
  export PGPASSWORD="$PGPASSWORD_OF_URL"
fi
unset PGPASSWORD_OF_URL
# Of several servers the one that Bastion uses.
case $url in
  *host=*,*) export PGTARGETSESSIONATTRS="${PGTARGETSESSIONATTRS:-read-write}" ;;
esac
url=$(printf %s "$url" | sed -e 's/^postgres[a-z]*\(+[a-z0-9]*\)\{0,1\}:/postgresql:/' -e 's#^\([^/]*//[^/@:]*\):[^/]*@#\1@#')
