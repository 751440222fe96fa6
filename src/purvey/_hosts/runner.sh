# What a machine runs for purvey: a program is this file, then calls of these functions. POSIX sh: dash, bash, busybox ash.
#
# `N` is a random word that begins every frame; `F` is our number in the order of those who may work here, and `S` the folder in
# which they keep what they have done. Frames go to standard output; when nobody reads any more, the work goes on all the same.

umask 077
trap '' PIPE
export LC_ALL=C PATH="$PATH:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

say() { printf '\n%s %s\n' "$N" "$*" 2>/dev/null; }

# Who we are and where: the words of id(1), the home, the machine's id, the boot's id, and the folder for purvey's own things.
hello() {
  machine=''
  boot=''
  for file in /etc/machine-id /var/lib/dbus/machine-id; do
    [ -n "$machine" ] || { [ -r "$file" ] && IFS= read -r machine <"$file"; }
  done
  [ -r /proc/sys/kernel/random/boot_id ] && IFS= read -r boot </proc/sys/kernel/random/boot_id
  who=$(id)
  case $who in "uid=0("*) B=/var/lib/purvey ;; *) B=${XDG_STATE_HOME:-$HOME/.local/state}/purvey ;; esac
  say hello
  printf '%s\n%s\n%s\n%s\n%s' "$who" "$HOME" "$machine" "$boot" "$B"
}

# Asking.

answer() { # NUMBER COMMAND...
  number=$1
  shift
  say answer "$number"
  (trap - PIPE; exec "$@") 2>/dev/null </dev/null
  say code "$?"
}

stats() { # PATH...: a line for each that is there, a complaint for each that is not.
  say stats
  QUOTING_STYLE=literal stat -c '%f %s %u %g %U %G %n|%N' -- "$@" 2>&1 </dev/null
}

digests() { # PATH...: of those that are files.
  say digests
  first=1
  for path; do
    [ -z "$first" ] || set --
    first=
    if [ -f "$path" ] && [ ! -L "$path" ]; then set -- "$@" "$path"; fi
  done
  [ $# -eq 0 ] || sha256sum -- "$@" 2>&1 </dev/null
}

content() { # NUMBER PATH
  say content "$1"
  if [ ! -f "$2" ] || [ -L "$2" ]; then
    say code none
    return
  fi
  cat -- "$2" 2>/dev/null
  say code "$?"
}

# Working. One program at a time works in `S`; a newer one makes an older one stop, and waits for it.

start_of() { # PID: when it was started, which tells it from another process that got its number later.
  started=
  [ -r "/proc/$1/stat" ] || return 1
  IFS= read -r line <"/proc/$1/stat" 2>/dev/null || return 1
  set -f
  set -- ${line##*) }
  set +f
  started=${20}
}

enter() { # fresh|same: whether all that was done before is settled, and may be forgotten.
  L=$S/log
  [ -d "$S" ] || mkdir -p "$S" || exit 73
  last=0
  [ -r "$S/fence" ] && IFS= read -r last <"$S/fence"
  if [ "$F" -lt "${last:-0}" ]; then
    say superseded
    exit 0
  fi
  { printf '%s\n' "$F" >"$S/fence.$F" && mv -f "$S/fence.$F" "$S/fence"; } || exit 73
  if [ -r "$S/worker" ] && read -r pid since at <"$S/worker" && [ "$at" = "$boot" ]; then
    while start_of "$pid" && [ "$started" = "$since" ]; do
      say waiting
      sleep 0.2 2>/dev/null || sleep 1
    done
  fi
  start_of $$
  printf '%s %s %s\n' $$ "$started" "$boot" >"$S/worker"
  [ "$1" = same ] || [ ! -e "$L" ] || rm -f "$L" "$S"/*.out "$S"/*.err
  done_before=
  [ -r "$L" ] && done_before=$(cat "$L" && echo .) # The point keeps the last line's end, which is taken off otherwise.
  stopped=
  soiled=
}

leave() {
  settle
  rm -f "$S/worker"
  say left
}

# What was done so far survives a power failure from here on.
settle() { # PATH...
  [ -n "$soiled$*" ] || return 0
  words=$IFS
  IFS='
'
  set -f
  set -- "$@" $soiled
  set +f
  IFS=$words
  sync "$@" 2>/dev/null || sync
  soiled=
}

soil() { # PATH: it has to reach the disk.
  case "
$soiled" in *"
$1
"*) ;; *)
    soiled="$soiled$1
"
    ;;
  esac
}

# Perform guard_NUMBER and do_NUMBER, once for each token: what a token has done is told again, and what an attempt has failed at,
# too. The log has a line `D TOKEN` for what was done, `E TOKEN.ATTEMPT CODE CHANGE` for a failure, and `B TOKEN.ATTEMPT` before
# what must not be done twice.
step() { # NUMBER TOKEN ATTEMPT quiet|told|once
  case $done_before in
    *"D $2
"*)
      tell "$1" "$2" 0 0
      return
      ;;
    *"E $2.$3 "*)
      ending=${done_before##*"E $2.$3 "}
      tell "$1" "$2" ${ending%%"
"*}
      return
      ;;
  esac
  [ -z "$stopped" ] || return 0
  IFS= read -r last <"$S/fence"
  if [ "$last" != "$F" ]; then
    stopped=1
    say superseded
    return
  fi
  case $done_before in
    *"B $2.$3
"*)
      stopped=1
      say interrupted "$1"
      return
      ;;
  esac
  g=0
  if ! "guard_$1" 2>/dev/null </dev/null; then
    stopped=1
    say mismatch "$1" "$g"
    return
  fi
  if [ "$4" = once ]; then
    printf 'B %s.%s\n' "$2" "$3" >>"$L"
    soil "$L"
    settle
  fi
  [ "$4" = quiet ] || say begun "$1"
  w=0
  "do_$1" >"$S/out" 2>"$S/err" </dev/null
  code=$?
  [ ! -s "$S/out" ] || mv -f "$S/out" "$S/$2.out"
  [ ! -s "$S/err" ] || mv -f "$S/err" "$S/$2.err"
  if [ "$code" = 0 ]; then printf 'D %s\n' "$2"; else printf 'E %s.%s %s %s\n' "$2" "$3" "$code" "$w"; fi >>"$L"
  soil "$L"
  tell "$1" "$2" "$code" "$w"
}

tell() { # NUMBER TOKEN CODE CHANGE
  say ended "$1" "$3" "$4"
  if [ -s "$S/$2.out" ]; then
    say out
    tail -c 65536 "$S/$2.out"
  fi
  if [ -s "$S/$2.err" ]; then
    say err
    tail -c 8192 "$S/$2.err"
  fi
  if [ "$3" = 0 ]; then "after_$1"; else stopped=1; fi
}

# The changes. Each is called by a `do_NUMBER`, which has set `w` to the change's own number; content comes from a function `c`,
# and a function `v` looks at a new file before it takes its place.

clear_way() { # PATH: what a killed worker left under the name of a successor.
  if [ -e "$1" ] || [ -L "$1" ]; then rm -f -- "$1"; fi
}

into_place() { # TEMPORARY PATH FOLDER
  settle "$1"
  if [ -d "$2" ]; then mv -fT -- "$1" "$2"; else mv -f -- "$1" "$2"; fi || {
    code=$?
    rm -f -- "$1"
    return "$code"
  }
  soil "$3"
}

put() { # UMASK TEMPORARY PATH FOLDER MODE OWNER: an empty MODE or OWNER needs no call.
  clear_way "$2"
  if [ -d "$3" ] && [ ! -L "$3" ]; then
    printf '%s: Is a directory\n' "$3" >&2
    return 1
  fi
  umask "$1"
  set -C
  c >"$2"
  code=$?
  set +C
  umask 077
  if [ "$code" = 0 ] && { [ -z "$6" ] || chown -- "$6" "$2"; } && { [ -z "$5" ] || chmod -- "$5" "$2"; }; then
    if v "$2"; then
      into_place "$2" "$3" "$4"
      return
    fi
    rm -f -- "$2"
    return 65
  fi
  rm -f -- "$2"
  return 1
}

folder() { # UMASK PATH PARENT MODE OWNER NEW_MODE: NEW_MODE is empty where the umask alone gives it.
  settle
  if [ -d "$2" ] && [ ! -L "$2" ]; then
    { [ -z "$5" ] || chown -- "$5" "$2"; } && chmod -- "$4" "$2"
    return
  fi
  umask "$1"
  mkdir -- "$2"
  code=$?
  umask 077
  [ "$code" = 0 ] || return "$code"
  { [ -z "$5" ] || chown -- "$5" "$2"; } && { [ -z "$6" ] || chmod -- "$6" "$2"; } && soil "$3"
}

link() { # TARGET TEMPORARY PATH FOLDER
  clear_way "$2"
  if [ -d "$3" ] && [ ! -L "$3" ]; then
    printf '%s: Is a directory\n' "$3" >&2
    return 1
  fi
  ln -s -- "$1" "$2" && settle && { mv -fT -- "$2" "$3" || { rm -f -- "$2"; false; }; } && soil "$4"
}

attributes() { # PATH MODE OWNER
  settle
  { [ -z "$3" ] || chown -h -- "$3" "$1"; } && { [ -z "$2" ] || [ -L "$1" ] || chmod -- "$2" "$1"; }
}

gone() { # PATH FOLDER plain|whole|if_empty
  if [ ! -e "$1" ] && [ ! -L "$1" ]; then return 0; fi
  settle
  if [ ! -d "$1" ] || [ -L "$1" ]; then
    rm -f -- "$1"
  elif [ "$3" = whole ]; then
    rm -rf -- "$1"
  elif [ "$3" = if_empty ]; then
    rmdir -- "$1" 2>/dev/null || [ -d "$1" ]
  else
    rmdir -- "$1"
  fi && soil "$2"
}

keep() { # PATH COPY FOLDER TOKEN
  [ -f "$1" ] && [ ! -L "$1" ] || return 0
  if [ -r "$2" ] && read -r kept _ <"$2" && [ "$kept" = "$4" ]; then return 0; fi
  own_folder "$3" || return
  { stat -c "$4 %a %U %G" -- "$1" && cat -- "$1"; } >"$2.new" && into_place "$2.new" "$2" "$3"
}

own_folder() { # FOLDER: closed to others, the ones above it open.
  [ -d "$1" ] || { (umask 022 && mkdir -p -- "${1%/*}") && mkdir -- "$1"; }
}

restore() { # PATH COPY FOLDER TOKEN TEMPORARY; 75 if nothing was kept.
  { [ -r "$2" ] && read -r kept mode owner group <"$2" && [ "$kept" = "$4" ]; } || return 75
  copy=$2
  c() { { IFS= read -r _ && cat; } <"$copy"; }
  v() { :; }
  put 077 "$5" "$1" "$3" "$mode" "$owner:$group"
}
