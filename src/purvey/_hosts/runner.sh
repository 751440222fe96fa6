# What a machine runs for purvey: who works there, the log, and the steps one after the other. POSIX sh; asking.sh comes before it,
# and with it what the steps need of changes.sh, commands.sh and clerk.sh.
#
# `F` is our number in the order of those who may work here, and `S` the folder in which they keep what they have done.
#
# A redirection of a special built-in (`:` too) that fails ends a shell, so what must not end it is written by printf.

# Who works. A program makes itself known by a file NUMBER.PID.STARTED.BOOT in `now` before it looks for those of others. So of
# two that come at once each that comes second sees the other: the older one leaves, and the newer one waits for its end. The
# file of the last one stays, so that an older one that comes late is refused.

start_of() { # PID: sets `started`, which tells it from another process that got its number later.
  started=-
  if [ ! -r /proc/self/stat ]; then
    kill -0 "$1" 2>/dev/null
    return
  fi
  { IFS= read -r line <"/proc/$1/stat"; } 2>/dev/null || return 1
  pid=${line%% *}
  set -f
  set -- ${line##*) }
  set +f
  started=${20}
  case $1 in Z | X) return 1 ;; esac
}

alive() { # PID STARTED BOOT
  [ "$3" = "$boot" ] && start_of "$1" && [ "$started" = "$2" ]
}

# Whether another program is newer than we are (0), older and at work (2), or was and is no more (1).
compare() { # FILE
  words=$IFS
  IFS=.
  set -- ${1##*/}
  IFS=$words
  [ "$1" -le "$F" ] || return 0
  alive "$2" "$3" "${4-}" || return 1
  if [ "$1" = "$F" ] && [ "$2" -gt "$ours" ]; then return 0; fi
  return 2
}

overtaken() {
  for other in "$S"/now/*; do
    [ "$other" != "$mine" ] || continue
    compare "$other" && return 0
  done
  return 1
}

unable() { # COMPLAINT
  say unable
  told=$told$1
  say left
  tell
  exit 0
}

enter() { # fresh|same|look: whether all that was done before is settled, and may be forgotten; or is only looked at.
  since=$1
  umask 077
  L=$S/log
  if [ ! -d "$S/now" ] || [ ! -d "$S/said" ]; then
    [ -d "$B" ] || said=$(umask 022 && mkdir -p -- "$B" 2>&1) || unable "$said"
    said=$(mkdir -p -- "$S/now" "$S/said" 2>&1) || unable "$said"
  fi
  start_of self || {
    pid=$(exec sh -c 'echo "$PPID"')
    started=-
  }
  ours=$pid
  mine=$S/now/$F.$ours.$started.$boot
  printf '' 2>/dev/null >"$mine" || unable "$({ printf '' >"$mine"; } 2>&1)"
  soiled=
  pending=
  stopped=
  hired=
  soil "$S/now"
  wait_for_others
  recall
}

wait_for_others() {
  while :; do
    at_work=
    running=
    set --
    for other in "$S"/now/*; do
      [ "$other" != "$mine" ] || continue
      compare "$other"
      case $? in
        0)
          say superseded
          say left
          tell
          exit 0
          ;;
        1) set -- "$@" "$other" ;;
        *) at_work=1 ;;
      esac
    done
    # A command of a program that was killed may still run.
    if [ -r "$S/command" ] && read -r of since_then at <"$S/command" && alive "$of" "$since_then" "$at"; then
      at_work=1
      running=1
    fi
    [ -n "$at_work" ] || break
    [ -z "$running" ] || [ "$since" != look ] || break # Who runs a command sees us after it, and begins nothing more.
    say waiting
    tell
    sleep 0.2 2>/dev/null || sleep 1
  done
  if [ "$since" = fresh ]; then
    [ ! -s "$L" ] || printf '' >"$L"
    for said in "$S"/said/*; do
      [ ! -s "$said" ] || printf '' >"$said"
    done
    [ ! -e "$said" ] || set -- "$@" "$S"/said/*
  fi
  [ $# -lt 16 ] || rm -f -- "$@" 2>/dev/null || [ "$since" != fresh ] || { # One process for the leavings of several runs.
    rm -rf -- "$S/said" # There were too many to be named.
    mkdir -- "$S/said"
  }
}

# Sets `past` to the log. A last line that is not whole was being written when the machine lost its power, or the disk was full: it
# says nothing, and is taken out, or what comes after it would make a whole one of it.
recall() {
  past=$nl
  [ -s "$L" ] || return 0
  past=$nl$(cat -- "$L" && printf .) || unable "$L: it cannot be read"
  case $past in
    *"$nl".) past=${past%.} ;;
    *)
      past=${past%"$nl"*}$nl
      said=$({ printf %s "${past#"$nl"}" | cat >"$L.whole"; } 2>&1 && mv -f -- "$L.whole" "$L" 2>&1) || unable "$said"
      soil "$L"
      soil "$S"
      ;;
  esac
}

numbers() { # WORD...: whether a line was written as one, and is not two of which the first was cut off.
  for word; do
    case $word in '' | *[!0-9-]*) return 1 ;; esac
  done
}

remembered() { # What was begun, and how it ended.
  say log
  told=$told$past
}

# See clerk.sh. Sets `answer`: done, and what it was to tell; or safe for a folder that nobody but us can change.
clerk() { # sync PATH... | name OLD NEW | folder UMASK PATH | own PATH | copy PATH COPY TOKEN | still ... | look PATH | safe PATH
  answer=
  [ -n "$hired" ] && [ -z "$apart" ] || return 1 # It stands where it was hired.
  printf '%s\n' "$@" '' 2>/dev/null >&8 && IFS= read -r answer <&9 && case $answer in done* | safe) ;; *) false ;; esac
}

# Whether something has the mode, the owner and the group that it had; numbers are such of those that have no name.
still() { # PATH MODE OWNER GROUP
  clerk still "$@" && return
  case $3 in *[!0-9]*) format=%f:%U ;; *) format=%f:%u ;; esac
  case $4 in *[!0-9]*) format=$format:%G ;; *) format=$format:%g ;; esac
  [ "$(stat -c "$format" -- "$1")" = "$2:$3:$4" ]
}

leave() {
  case $pending$soiled in "$L$nl") ;; *) settle ;; esac # How the last one ended is heard now; if not, it still has begun.
  for said in "$S/out" "$S/err" "$S/v.out" "$S/v.err"; do
    [ ! -s "$said" ] || printf '' >"$said"
  done
  say left
  tell
}

# What was done so far survives a power failure from here on, and only then is told.
settle() { # PATH...
  if [ -n "$soiled$*" ]; then
    words=$IFS
    IFS=$nl
    set -f
    set -- "$@" $soiled
    set +f
    IFS=$words
    clerk sync "$@" || sync "$@" 2>/dev/null || sync
    soiled=
  fi
  if [ -n "$pending" ]; then
    set -- $pending
    pending=
    ended "$@"
  fi
  return 0
}

soil() { # PATH: it has to reach the disk.
  case $nl$soiled in *"$nl$1$nl"*) ;; *) soiled=$soiled$1$nl ;; esac
}

# Perform guard_NUMBER and do_NUMBER, once for each token. The log has a line `B TOKEN.ATTEMPT` before anything is done, and then
# `D TOKEN CODE` when all is, or `E TOKEN.ATTEMPT CODE CHANGE` for what failed; both are told again instead of being done again.
# What was begun and has no end is finished without its guard, which would see our own work. What must not be done twice is not:
# whichever attempt has begun it was the only one.
step() { # NUMBER TOKEN ATTEMPT quiet|told|once
  case $past in
    *"${nl}D $2 0$nl"*) # Cutting a word out of a long text takes a shell long, and most have this one.
      tell_ended "$1" "$2" 0
      return
      ;;
    *"${nl}D $2 "*)
      line=${past##*"${nl}D $2 "}
      line=${line%%"$nl"*}
      if numbers "$line"; then
        tell_ended "$1" "$2" "$line"
        return
      fi
      ;;
    *"${nl}E $2.$3 "*)
      line=${past##*"${nl}E $2.$3 "}
      line=${line%%"$nl"*}
      rest=${line#"${line%% *}"}
      if numbers "${line%% *}" "${rest# }"; then
        tell_broken "$1" "$2" "$line"
        return
      fi
      ;;
    *"${nl}E $2."*)
      if [ "$4" = once ]; then
        line=${past##*"${nl}E $2."}
        line=${line%%"$nl"*}
        line=${line#* }
        rest=${line#"${line%% *}"}
        if numbers "${line%% *}" "${rest# }"; then
          tell_broken "$1" "$2" "$line"
          return
        fi
      fi
      ;;
  esac
  [ -z "$stopped" ] || return 0
  if overtaken; then
    stop superseded
    return
  fi
  begin "$@" || return 0
  do_it "$@"
}

stop() { # FRAME...: nothing more is done.
  settle
  stopped=1
  say "$@"
}

begin() { # NUMBER TOKEN ATTEMPT HOW
  case $4$past in
    once*"${nl}B $2."*)
      stop interrupted "$1"
      return 1
      ;;
    *"${nl}B $2.$3$nl"*) return 0 ;;
  esac
  g=0
  if ! "guard_$1" 2>/dev/null </dev/null; then
    stop mismatch "$1" "$g"
    return 1
  fi
  w=0
  if ! printf 'B %s.%s\n' "$2" "$3" 2>/dev/null >>"$L"; then
    stop broken "$1" 1 0
    say err
    tell
    { printf '# %s.%s\n' "$2" "$3" | cat >>"$L"; } 2>&3 # It says why, where a shell knows only an "I/O error".
    return 1
  fi
  soil "$L"
}

do_it() { # NUMBER TOKEN ATTEMPT HOW
  out=$S/out
  err=$S/err
  if [ "$4" != quiet ]; then
    settle
    say begun "$1"
    tell
    out=$S/said/$2.out
    err=$S/said/$2.err
  fi
  w=0
  last=0
  size=
  failed=
  {
    "do_$1"
    code=$?
    [ "$4" = quiet ] || { read -r _ size </proc/self/fdinfo/1; } 2>/dev/null
  } >"$out" 2>"$err" </dev/null
  if [ "$code" != 0 ]; then
    settle
    if [ "$4" = quiet ]; then
      mv -f -- "$err" "$S/said/$2.err"
      [ ! -s "$out" ] || mv -f -- "$out" "$S/said/$2.out"
    fi
    printf 'E %s.%s %s %s\n' "$2" "$3" "${failed:-$code}" "$w" >>"$L"
    tell_broken "$1" "$2" "${failed:-$code} $w"
    return
  fi
  [ -z "$pending" ] || settle
  pending="$1 $2 $last $size"
  if [ "$4" != quiet ]; then settle; fi
  if [ "$4" = once ]; then soil "$L"; fi
}

ended() { # NUMBER TOKEN CODE [BYTES]: how many it printed.
  printf 'D %s %s\n' "$2" "$3" 2>/dev/null >>"$L"
  tell_ended "$@"
}

tell_ended() { # NUMBER TOKEN CODE [BYTES]
  say ended "$1" "$3"
  tell_outputs "$2" "${4-}"
  "after_$1" 2>/dev/null </dev/null
  case $1 in *[05]) tell ;; esac # So that people see it go on.
}

tell_broken() { # NUMBER TOKEN CODE-AND-CHANGE
  say broken "$1" "$3"
  tell_outputs "$2"
  stopped=1
}

tell_outputs() { # TOKEN [BYTES]
  if [ -s "$S/said/$1.out" ]; then
    say out
    if short "${2-}" "$S/said/$1.out"; then
      told=$told$text
    else
      tell
      tail -c 65536 -- "$S/said/$1.out" 2>/dev/null >&3
    fi
  fi
  if [ -s "$S/said/$1.err" ]; then
    say err
    tell
    tail -c 8192 -- "$S/said/$1.err" 2>/dev/null >&3
  fi
}
