# Fetches a file by HTTP and puts it in its place at once. POSIX sh.
#
#   fetch.sh URL PATH TEMPORARY SHA256 MODE OWNER FOLLOW    standard input: headers, a line each; may be secret
#
# FOLLOW tells who may follow to another place: `all`, `curl`, which keeps what logs in from other hosts, or `none`.

set -eu
umask 077
url=$1 path=$2 new=$3 sum=$4 mode=$5 owner=$6 follow=$7
headers=$(cat)

complain() { # CODE TEXT
  echo "$2" >&2
  exit "$1"
}

with_curl() {
  set -- --fail --silent --show-error --proto '=http,https' --connect-timeout 20 --speed-limit 1 --speed-time 60
  [ "$follow" = none ] || set -- "$@" --location --max-redirs 10
  code=$(told 's/[\\"]/\\&/g; s/.*/header = "&"/' | curl --disable --config - "$@" --output "$new" --write-out '%{http_code}' -- "$url")
  case $code in 3??) complain 67 "$url leads to another place." ;; esac
}

# GNU wget takes headers from a regular file only; one in memory will do. That of busybox crashes where it is given a time limit.
with_wget() {
  if wget --version 2>/dev/null | grep -q 'GNU Wget'; then
    set -- -nv --tries=1 -T 60 -O "$new"
    [ "$follow" = all ] || set -- "$@" --max-redirect=0
    if [ -n "$headers" ]; then
      configuration=$(mktemp /dev/shm/.purvey.XXXXXX) || complain 69 'There is no folder in memory to give wget its headers in.'
      told 's/^/header = /' >"$configuration"
    fi
    wget "${configuration:+--config=}${configuration:---no-config}" "$@" -- "$url"
  else
    [ -z "$headers" ] || complain 69 'This wget takes headers as arguments only, which everybody on the machine can read.'
    wget -q -O "$new" -- "$url"
  fi
}

told() { [ -z "$headers" ] || printf '%s\n' "$headers" | sed "$1"; } # SED: the headers for a configuration on standard input.

if [ -d "$path" ] && [ ! -L "$path" ]; then complain 1 "$path: Is a directory"; fi
[ -d "${path%/*}/" ] || complain 1 "${path%/*}: No such file or directory"
rm -f -- "$new"
configuration=
trap 'rm -f -- "$new"; [ -z "$configuration" ] || rm -f -- "$configuration"' EXIT
if command -v curl >/dev/null; then
  with_curl
elif command -v wget >/dev/null; then
  with_wget
else
  complain 69 'There is neither curl nor wget.'
fi
[ -f "$new" ] || : >"$new"
found=$(sha256sum <"$new")
[ "${found%% *}" = "$sum" ] || complain 65 "Its SHA-256 is ${found%% *}."
[ -z "$owner" ] || chown -- "$owner" "$new"
chmod -- "$mode" "$new"
sync "$new" 2>/dev/null || sync
mv -f -- "$new" "$path"
sync "${path%/*}/" 2>/dev/null || sync
