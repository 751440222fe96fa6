# Commands, each in a process of its own and in as much time as it may take.

changes_user=unknown

# Run a command: with the variables that a function `e` sets, what a function `i` prints where `input` is set, and the umask `M` or,
# where that is empty, the one that we were called with.
run() { # SECONDS USER FOLDER CODES COMMAND...: CODES are those that are success; an empty USER or FOLDER is ours.
  limit=$1
  user=$2
  folder=$3
  codes=$4
  shift 4
  sure=$nl
  busy
  case $user in '' | "$me") ;; *) [ "$changes_user" != unknown ] || find_changer ;; esac
  clock
  { # Some shells tell where they complain that a command was ended by a signal; the command does not say so.
    if [ -n "$input" ]; then
      i 2>/dev/null | (become "$@" 2>&4 4>&-)
    else
      (become "$@" 2>&4 4>&-)
    fi
  } 4>&2 2>/dev/null
  outcome "$?" "$limit"
  last=$code
  case " $codes " in *" $code "*) return 0 ;; esac
  failed=$code
  return 1
}

cannot() { # COMPLAINT: it was not run.
  printf 'purvey: %s\n' "$1" >&2
  exit 72
}

stand() { # FOLDER
  cd -- "$1" 2>/dev/null && return
  why=$(ls -d -- "$1/." 2>&1)
  cannot "$1: ${why##*: }"
}

where() { # PROGRAM: sets `found` to its path, because the command may be given another PATH.
  found=$1
  words=$IFS
  IFS=:
  set -f
  for at in $PATH; do
    if [ -n "$at" ] && [ -f "$at/$1" ] && [ -x "$at/$1" ]; then
      found=$at/$1
      break
    fi
  done
  set +f
  IFS=$words
}

# Sets `changes_user` to a setpriv(1) that becomes another user; empty if there is none, as with busybox. Unlike su(1) it opens no
# session, which a time limit would not reach, and a limit that root sets ends what has become root again, too.
find_changer() {
  where setpriv
  changes_user=$found
  "$found" --reuid=root --regid=0 --clear-groups true 2>/dev/null || changes_user=
}

account() { # USER: sets `user` to the name, `group_id` and `home`; fails if there is no such user.
  entry=$(getent passwd -- "$1" 2>/dev/null) || while IFS= read -r entry; do
    case $entry in "$1":*) break ;; esac
  done </etc/passwd
  words=$IFS
  IFS=:
  set -f
  set -- "$1" $entry
  set +f
  IFS=$words
  [ $# -gt 6 ] || return 1
  user=$2
  group_id=$5
  home=$7
}

# Be the command, as we were called ourselves but for what was said; in a process of its own, which those who come later wait for.
become() { # COMMAND...
  exec 3>&- 8>&- 9<&-
  trap - HUP PIPE
  umask "${M:=$U}"
  where timeout
  if [ -z "$user" ] || [ "$user" = "$me" ]; then
    set -- "$found" -k 2 "$limit" "$@"
  else
    account "$user" || cannot "there is no user $user"
    [ "$uid" = 0 ] || cannot "only root runs commands as another user"
    set -- /bin/sh -c "$as_user" "$folder" "$@"
    folder=
    if [ -n "$changes_user" ]; then
      export HOME="$home" USER="$user" LOGNAME="$user"
      set -- "$found" -k 2 "$limit" "$changes_user" "--reuid=$user" "--regid=$group_id" --init-groups -- "$@"
    else # A command in a session of its own is reached by a timeout in there only; the one around it is for what lets it in.
      set -- -s /bin/sh -c 'umask "$0" && exec "$@"' -- "$user" "$M" "$found" -k 2 "$limit" "$@"
      timeout=$found
      where su
      set -- "$timeout" -k 5 "$((limit + 10))" "$found" "$@"
    fi
  fi
  if [ -n "$folder" ]; then stand "$folder"; else back; fi
  start_of self && printf '%s %s %s\n' "$pid" "$started" "$boot" >"$S/command"
  unset LC_ALL
  [ -z "$lang" ] || export LC_ALL="$lang"
  unset OLDPWD
  give_back
  e
  exec "$@"
}

# What another user's command is run by, with its folder before it: it stands there as that user.
as_user='cannot() { printf "purvey: %s: %s\n" "$1" "$2" >&2; exit 72; }
[ -z "$0" ] || cd -- "$0" 2>/dev/null || cannot "$0" "$(LC_ALL=C ls -d -- "$0/." 2>&1 | sed "s/.*: //")"
command -v -- "$1" >/dev/null 2>&1 || cannot "$1" "No such file or directory"
unset OLDPWD
exec "$@"'
