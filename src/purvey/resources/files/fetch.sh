# Fetches a file by HTTP and puts it in its place at once. POSIX sh.
#
#   fetch.sh URL PATH NAME SHA256 MODE OWNER FOLLOW    standard input: headers, a line each; may be secret
#
# NAME is a folder beside PATH that nobody else uses; the file is whole and has its owner before it leaves that. FOLLOW tells who
# may follow to another place: `all`, `curl`, which keeps what logs in from other hosts, or `none`.

set -eu
umask 077
url=$1 path=$2 name=$3 sum=$4 mode=$5 owner=$6 follow=$7
headers=$(cat)

with_curl() {
  set -- --fail --silent --show-error --proto '=http,https' --connect-timeout 20 --speed-limit 1 --speed-time 60
  [ "$follow" = none ] || set -- "$@" --location --max-redirs 10
  code=$(told 's/[\\"]/\\&/g; s/.*/header = "&"/' | curl --disable --config - "$@" --output ./new --write-out '%{http_code}' -- "$url")
  case $code in 3??) complain 67 "$url leads to another place." ;; esac
}

# GNU wget takes headers from a regular file only; one in memory will do, which has lost its name before there is anything in it.
# That of busybox crashes where it is given a time limit.
with_wget() {
  if wget --version 2>/dev/null | grep -q 'GNU Wget'; then
    set -- -nv --tries=1 --no-http-keep-alive -T 60 -O ./new
    [ "$follow" = all ] || set -- "$@" --max-redirect=0
    if [ -n "$headers" ]; then
      memory=$(mktemp /dev/shm/.purvey.XXXXXX) || complain 69 'There is no folder in memory to give wget its headers in.'
      exec 8<>"$memory"
      rm -f -- "$memory"
      told 's/^/header = /' >&8
      set -- --config=/dev/fd/8 "$@"
    else
      set -- --no-config "$@"
    fi
    wget "$@" -- "$url"
  else
    [ -z "$headers" ] || complain 69 'This wget takes headers as arguments only, which everybody on the machine can read.'
    wget -q -O ./new -- "$url"
  fi
}

told() { [ -z "$headers" ] || printf '%s\n' "$headers" | sed "$1"; } # SED: the headers for a configuration on standard input.

if [ -d "$path" ] && [ ! -L "$path" ]; then complain 1 "$path: Is a directory"; fi
[ -d "${path%/*}/" ] || complain 1 "${path%/*}: No such file or directory"
stage "${path%/*}/" "$name"
rm -f ./new
trap 'rm -f ./new; cd .. && rmdir -- "./$name" || :' EXIT
trap 'exit 143' HUP INT TERM # Not every shell tidies up by itself then.
if command -v curl >/dev/null; then
  with_curl
elif command -v wget >/dev/null; then
  with_wget
else
  complain 69 'There is neither curl nor wget.'
fi
[ -f ./new ] || : >./new
found=$(sha256sum <./new)
[ "${found%% *}" = "$sum" ] || complain 65 "Its SHA-256 is ${found%% *}."
[ -z "$owner" ] || chown -- "$owner" ./new
chmod -- "$mode" ./new
sync ./new 2>/dev/null || sync
mv -fT -- ./new "../${path##*/}"
sync .. 2>/dev/null || sync
