# What a machine runs for purvey: a program is asking.sh and this file, then calls of their functions. POSIX sh as there.
#
# `F` is our number in the order of those who may work here, and `S` the folder in which they keep what they have done.
#
# A redirection of a special built-in (`:` too) that fails ends a shell, so what must not end it is written by printf.

changes_user=unknown

# Whether what is said to be missing in a folder certainly is: nobody can tell behind a folder that may not be entered, or behind
# links that lead to each other.
reachable() { # FOLDER
  above=$1
  until [ -e "$above" ]; do
    if [ -L "$above" ]; then
      said=$(stat -L -- "$above" 2>&1)
      case $said in *"No such file or directory" | *"Not a directory") ;; *)
        printf '%s\n' "$said" >&2
        return 1
        ;;
      esac
    fi
    above=${above%/*}
    above=${above:-/}
  done
  if [ -d "$above" ] && [ ! -x "$above" ]; then
    printf '%s: Permission denied\n' "$above" >&2
    return 1
  fi
}

nothing() { # PATH FOLDER
  [ ! -e "$1" ] && [ ! -L "$1" ] && reachable "$2"
}

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
  if [ "$1" = "$F" ] && [ "$2" -gt $$ ]; then return 0; fi
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
  printf %s "$1" 2>/dev/null >&3
  say left
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
  start_of $$
  mine=$S/now/$F.$$.$started.$boot
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
    sleep 0.2 2>/dev/null || sleep 1
  done
  if [ "$since" = fresh ]; then
    [ ! -s "$L" ] || printf '' >"$L"
    for said in "$S"/said/*; do
      [ ! -e "$said" ] || set -- "$@" "$S"/said/*
      break
    done
  fi
  [ $# -eq 0 ] || rm -f -- "$@" 2>/dev/null || {
    rm -rf -- "$S/said" # There were too many to be named.
    mkdir -- "$S/said"
  }
}

# Sets `past` to the log. A last line that is not whole was being written when the machine lost its power, or the disk was full: it
# says nothing, and is taken out, or what comes after it would make a whole one of it.
recall() {
  past=$nl
  [ -s "$L" ] || return 0
  past=$nl$(cat -- "$L" && printf .)
  case $past in
    *"$nl".) past=${past%.} ;;
    *)
      past=${past%"$nl"*}$nl
      said=$({ printf %s "${past#"$nl"}" >"$L.whole"; } 2>&1 && mv -f -- "$L.whole" "$L" 2>&1) || unable "$said"
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
  printf %s "$past" 2>/dev/null >&3
}

# The clerk. To bring something to the disk, to give it its name or to make a folder takes a process each time, which costs more
# than the work. Where there is perl, one of it does that for a whole program, as it is told over two pipes. What it does not do,
# and all where there is none, is done as ever, which also tells why it cannot be done.

clerk='
  require XSLoader;
  XSLoader::load("IO");
  unlink @ARGV;
  umask 0;
  ($/, $|) = ("\n\n", 1);
  sub sync {
    for my $path (@_) {
      return 0 unless -f $path || -d _;
      open(my $file, "<", $path) or return 0;
      IO::Handle::sync($file) or return 0;
    }
    return 1;
  }
  my %can = (sync => \&sync, name => sub { rename $_[0], $_[1] }, folder => sub { mkdir $_[1], 0777 & ~oct $_[0] });
  while (<STDIN>) {
    my ($what, @of) = split /\n/;
    print $can{$what}->(@of) ? "done\n" : "not\n";
  }
'

hire() {
  command -v perl >/dev/null 2>&1 || return 0
  set -- "$S/said/$F.$$.asks" "$S/said/$F.$$.answers"
  mkfifo -- "$@" 2>/dev/null || return 0
  PERL5OPT='' PERL5LIB='' perl -e "$clerk" -- "$@" <"$1" >"$2" 2>/dev/null 3>&- &
  exec 8>"$1" 9<"$2"
  hired=1
}

clerk() { # sync PATH... | name OLD NEW | folder UMASK PATH: whether it has done so.
  [ -n "$hired" ] && [ -z "$apart" ] || return 1 # It stands where it was hired.
  printf '%s\n' "$@" '' 2>/dev/null >&8 && IFS= read -r answer <&9 && [ "$answer" = done ]
}

leave() {
  settle
  for said in "$S/out" "$S/err" "$S/v.out" "$S/v.err"; do
    [ ! -s "$said" ] || printf '' >"$said"
  done
  say left
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
    { printf '# %s.%s\n' "$2" "$3" >>"$L"; } 2>&3 # It says why; the line means nothing.
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
    out=$S/said/$2.out
    err=$S/said/$2.err
  fi
  w=0
  last=0
  failed=
  "do_$1" >"$out" 2>"$err" </dev/null
  code=$?
  if [ "$code" != 0 ]; then
    settle
    [ "$4" != quiet ] || mv -f -- "$err" "$S/said/$2.err"
    printf 'E %s.%s %s %s\n' "$2" "$3" "${failed:-$code}" "$w" >>"$L"
    tell_broken "$1" "$2" "${failed:-$code} $w"
    return
  fi
  [ -z "$pending" ] || settle
  pending="$1 $2 $last"
  if [ "$4" != quiet ]; then settle; fi
  if [ "$4" = once ]; then soil "$L"; fi # Durable before the next one is begun.
}

ended() { # NUMBER TOKEN CODE
  printf 'D %s %s\n' "$2" "$3" 2>/dev/null >>"$L"
  tell_ended "$@"
}

tell_ended() { # NUMBER TOKEN CODE
  say ended "$1" "$3"
  tell_outputs "$2"
  "after_$1" 2>/dev/null </dev/null
}

tell_broken() { # NUMBER TOKEN CODE-AND-CHANGE
  say broken "$1" "$3"
  tell_outputs "$2"
  stopped=1
}

tell_outputs() { # TOKEN
  if [ -s "$S/said/$1.out" ]; then
    say out
    tail -c 65536 -- "$S/said/$1.out" 2>/dev/null >&3
  fi
  if [ -s "$S/said/$1.err" ]; then
    say err
    tail -c 8192 -- "$S/said/$1.err" 2>/dev/null >&3
  fi
}

# The changes. Each is called by a `do_NUMBER`, which has set `w` to the change's own number; content comes from a function `c`,
# and a function `v` looks at a new file before it takes its place.

descend() { # NAME: stand in a folder of the one that we stand in, which must be there itself.
  cd -P -- "./$1" && [ "$(env pwd -P)" = "${stood%/}/$1" ] && return
  not_ours "$stood/$1: it was replaced meanwhile"
}

aside() { # NAME: stand in a folder of our own in the one that we stand in; one that a killed worker left will do.
  if [ ! -d "./$1" ] || [ -L "./$1" ]; then
    rm -f -- "./$1"
    umask 066
    mkdir -- "./$1"
    umask 077
  fi
  descend "$1" || return
  case $(stat -c %u:%a .) in "$uid":711 | "$uid":2711) return ;; esac
  not_ours "$stood/$1: it belongs to somebody else"
}

back() {
  apart=
  cd -- "$here" 2>/dev/null || cd /
}

clear_way() { # PATH: what a killed worker left under the name of a successor.
  if [ -e "$1" ] || [ -L "$1" ]; then rm -rf -- "$1"; fi
}

no_directory() { # PATH
  [ ! -d "$1" ] || [ -L "$1" ] || {
    printf '%s: Is a directory\n' "$1" >&2
    return 1
  }
}

into_place() { # TEMPORARY PATH FOLDER
  settle "$1"
  clerk name "$1" "$2" || if [ -n "$apart" ] || [ -d "$2" ]; then mv -fT -- "$1" "$2"; else mv -f -- "$1" "$2"; fi || {
    rm -f -- "$1"
    return 1
  }
  soil "$3"
}

refused() { # What looked at a new file is heard only if it does not accept it.
  cat -- "$S/v.out"
  cat -- "$S/v.err" >&2
  return 1
}

# What we make is ours, and the umask gives its mode, so that it seldom needs chown(1) and chmod(1). Where it does, nobody else gets
# to it before.
making() { # UMASK OWNER exact|masked: sets `mask`, and `exact` if that does not give the mode.
  exact=1
  case $3$2 in masked | "masked$me" | "masked$me:$our_group") exact= ;; esac
  mask=077
  [ -n "$exact" ] || mask=$1
}

made() { # PATH MODE OWNER
  [ -z "$3" ] || { [ -O "$1" ] && [ -G "$1" ]; } || exact=1
  [ ! -d "$1" ] || [ ! -g "$1" ] || exact=1 # It has that from the folder that it is in.
  [ -z "$exact" ] || { { [ -z "$3" ] || chown -h -- "$3" "$1"; } && chmod -- "$2" "$1"; }
}

put() { # UMASK TEMPORARY PATH FOLDER MODE OWNER exact|masked
  if safe "$4"; then
    place "$@" "$2"
    return
  fi
  code=1
  if approach "$4" && aside "${2##*/}"; then
    place "$1" "./${3##*/}" "../${3##*/}" "$4" "$5" "$6" "$7" "$2/${3##*/}"
    code=$?
    rmdir -- "../${2##*/}" 2>/dev/null
  fi
  back
  return "$code"
}

place() { # UMASK TEMPORARY PATH FOLDER MODE OWNER exact|masked NAME: what TEMPORARY is called for those who stand elsewhere.
  clear_way "$2" && no_directory "$3" || return 1
  making "$1" "$6" "$7"
  umask "$mask"
  set -C
  c >"$2"
  code=$?
  set +C
  umask 077
  if [ "$code" != 0 ] && [ -e "$2" ]; then
    rm -f -- "$2"
    (set -C; c 2>/dev/null | cat >"$2") # It says why, where a shell of its own does not.
  fi
  if [ "$code" = 0 ] && made "$2" "$5" "$6"; then
    if v "$8"; then
      into_place "$2" "$3" "$4"
      return
    fi
    rm -f -- "$2"
    failed=
    return 65
  fi
  clear_way "$2"
  return 1
}

give() { # PATH MODE OWNER: the owner first, for that clears bits of the mode.
  { [ -z "$3" ] || chown -h -- "$3" "$1"; } && { [ -z "$2" ] || [ -L "$1" ] || chmod -- "$2" "$1"; }
}

folder() { # UMASK TEMPORARY PATH PARENT MODE OWNER exact|masked
  settle
  if [ -d "$3" ] && [ ! -L "$3" ]; then
    set_attributes "$2" "$3" "$4" "$5" "$6" && soil "$3"
    return
  fi
  if safe "$4"; then
    new_folder "$1" "$3" "$5" "$6" "$7" && soil "$4"
    return
  fi
  code=1
  if approach "$4" && aside "${2##*/}"; then
    if [ -e "../${3##*/}" ] || [ -L "../${3##*/}" ]; then
      mkdir -- "../${3##*/}"
    else
      clear_way "./${3##*/}" && new_folder "$1" "./${3##*/}" "$5" "$6" "$7" && mv -fT -- "./${3##*/}" "../${3##*/}" && soil "$4"
    fi
    code=$?
    rmdir -- "../${2##*/}" 2>/dev/null
  fi
  back
  return "$code"
}

new_folder() { # UMASK PATH MODE OWNER exact|masked
  making "$1" "$4" "$5"
  clerk folder "$mask" "$2" || {
    umask "$mask"
    mkdir -- "$2"
    code=$?
    umask 077
    [ "$code" = 0 ] || return 1
  }
  made "$2" "$3" "$4" && return
  rmdir -- "$2"
  return 1
}

link() { # TARGET TEMPORARY PATH FOLDER
  if safe "$4"; then
    new_link "$@"
    return
  fi
  approach "$4" && new_link "$1" "./${2##*/}" "./${3##*/}" "$4"
  code=$?
  back
  return "$code"
}

new_link() { # TARGET TEMPORARY PATH FOLDER
  clear_way "$2" && no_directory "$3" && ln -s -- "$1" "$2" && settle || return 1
  clerk name "$2" "$3" || mv -fT -- "$2" "$3" || {
    rm -f -- "$2"
    return 1
  }
  soil "$4"
}

attributes() { # TEMPORARY PATH FOLDER MODE OWNER
  settle
  if [ ! -e "$2" ] && [ ! -L "$2" ] && reachable "$3"; then
    printf '%s: No such file or directory\n' "$2" >&2
    return 1
  fi
  set_attributes "$@" || return 1
  [ -L "$2" ] || soil "$2"
}

set_attributes() { # TEMPORARY PATH FOLDER MODE OWNER
  if safe "$3"; then
    [ ! -d "$2" ] || sure=$nl
    give "$2" "$4" "$5"
    return
  fi
  sure=$nl
  approach "$3" && give_others "${1##*/}" "${2##*/}" "$4" "$5"
  code=$?
  back
  return "$code"
}

give_others() { # TEMPORARY NAME MODE OWNER: by another name, in a folder of ours, a file is one that nobody replaces.
  if [ -d "./$2" ] && [ ! -L "./$2" ]; then
    descend "$2" && give . "$3" "$4"
  elif [ -z "$3" ] || [ -L "./$2" ]; then
    give "./$2" '' "$4"
  else
    aside "$1" && clear_way "./$2" && ln -- "../$2" "./$2" && give "./$2" "$3" "$4"
    code=$?
    rm -f -- "./$2" && rmdir -- "../$1" 2>/dev/null
    return "$code"
  fi
}

gone() { # PATH FOLDER plain|whole|if_empty
  if [ ! -e "$1" ] && [ ! -L "$1" ]; then
    reachable "$2"
    return
  fi
  settle
  if safe "$2"; then
    take_away "$1" "$3"
  else
    approach "$2" && take_away "./${1##*/}" "$3"
    code=$?
    back
    (exit "$code")
  fi && soil "$2"
}

take_away() { # PATH plain|whole|if_empty
  if [ ! -d "$1" ] || [ -L "$1" ]; then
    rm -f -- "$1"
    return
  fi
  sure=$nl
  if [ "$2" = whole ]; then
    rm -rf -- "$1"
  elif [ "$2" = plain ]; then
    rmdir -- "$1"
  else
    said=$(rmdir -- "$1" 2>&1) || case $said in *"Directory not empty") ;; *)
      printf '%s\n' "$said" >&2
      false
      ;;
    esac
  fi
}

kept() { # COPY TOKEN: whether the operation has looked what to keep; sets `mode`, `owner` and `group` to what was there.
  mode=
  [ -e "$1" ] || return 1
  read -r by mode owner group <"$1" && [ "$by" = "$2" ]
}

copy() { # TOKEN: of the file that is read.
  stat -L -c "$1 %a %u %g" /proc/self/fd/0 && cat
}

keep() { # PATH COPY FOLDER TOKEN
  if kept "$2" "$4"; then return 0; fi
  own_folder "$3" && clear_way "$2.new" || return 1
  above=${1%/*}
  above=${above:-/}
  if ! plain_file "$1"; then
    reachable "$above" && printf '%s\n' "$4" >"$2.new"
  elif safe "$above"; then
    { stat -c "$4 %a %u %g" -- "$1" && cat -- "$1"; } >"$2.new"
  else
    (approach "$above" && held "./${1##*/}" copy "$4") >"$2.new"
  fi || {
    clear_way "$2.new"
    return 1
  }
  into_place "$2.new" "$2" "$3"
}

own_folder() { # FOLDER: closed to others, the ones above it open.
  [ -d "$1" ] || {
    umask 022
    mkdir -p -m 700 -- "$1"
    code=$?
    umask 077
    [ "$code" = 0 ] && { [ ! -g "$1" ] || chmod 00700 -- "$1"; } && soil "${1%/*}"
  }
}

restore() { # PATH COPY FOLDER TOKEN TEMPORARY; 75 if there was nothing to keep.
  if ! kept "$2" "$4" || [ -z "$mode" ]; then
    [ ! -e "$2" ] || [ -r "$2" ] || return 1
    return 75
  fi
  copy=$2
  c() { { IFS= read -r _ && cat; } <"$copy"; }
  v() { :; }
  put 077 "$5" "$1" "$3" "$mode" "$owner:$group" exact
}

# Run a command: with the variables that a function `e` sets, and what a function `i` prints where `input` is set.
run() { # SECONDS USER FOLDER CODES COMMAND...: CODES are those that are success; an empty USER or FOLDER is ours.
  limit=$1
  user=$2
  folder=$3
  codes=$4
  shift 4
  sure=$nl
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
  for at in $PATH; do
    if [ -f "$at/$1" ] && [ -x "$at/$1" ]; then
      found=$at/$1
      break
    fi
  done
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
# The variables of the command may have the names of ours, so nothing of ours is looked at any more once they are set.
become() { # COMMAND...
  exec 3>&- 8>&- 9<&-
  trap - HUP PIPE
  umask "$U"
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
      set -- -s /bin/sh -c 'exec "$0" "$@"' -- "$user" "$found" -k 2 "$limit" "$@"
      timeout=$found
      where su
      set -- "$timeout" -k 5 "$((limit + 10))" "$found" "$@"
    fi
  fi
  if [ -n "$folder" ]; then stand "$folder"; else back; fi
  start_of self && printf '%s %s %s\n' "$pid" "$started" "$boot" >"$S/command"
  unset LC_ALL
  [ -z "$lang" ] || export LC_ALL="$lang"
  e
  exec "$@"
}

# What another user's command is run by, with its folder before it: it stands there as that user.
as_user='cannot() { printf "purvey: %s: %s\n" "$1" "$2" >&2; exit 72; }
[ -z "$0" ] || cd -- "$0" 2>/dev/null || cannot "$0" "$(LC_ALL=C ls -d -- "$0/." 2>&1 | sed "s/.*: //")"
command -v -- "$1" >/dev/null 2>&1 || cannot "$1" "No such file or directory"
exec "$@"'
