# The changes of files, folders and links. Each is called by a `do_NUMBER`, which has set `w` to the change's own number; content
# comes from a function `c`, and a function `v` looks at a new file before it takes its place.

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
    failed=${failed:+$((10000 + $failed))} # Nothing else that fails in a step has such a number.
    return 1
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
  if ! made "$2" "$3" "$4"; then
    rmdir -- "$2"
    return 1
  fi
  # So we need not look whether it is.
  if [ -z "$exact" ] && [ "$answer" = safe ]; then sure=$sure$2$nl; fi
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
  sure=$nl # Of ways over it.
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
  [ ! -d "$1" ] || sure=$nl # Of what is below it, and of ways over a link.
  if [ ! -d "$1" ] || [ -L "$1" ]; then
    rm -f -- "$1"
    return
  fi
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
    reachable "$above" && { printf '%s\n' "$4" 2>/dev/null >"$2.new" || printf '%s\n' "$4" | cat >"$2.new"; }
  elif safe "$above"; then
    clerk copy "$1" "$2.new" "$4" || { stat -c "$4 %a %u %g" -- "$1" && cat -- "$1"; } >"$2.new"
  else
    (approach "$above" && held "./${1##*/}" copy "$4") >"$2.new"
  fi || {
    clear_way "$2.new"
    return 1
  }
  into_place "$2.new" "$2" "$3"
}

own_folder() { # FOLDER: closed to others, the ones above it open.
  [ -d "$1" ] || if clerk own "$1"; then soil "${1%/*}"; else
    umask 022
    mkdir -p -m 700 -- "$1"
    code=$?
    umask 077
    [ "$code" = 0 ] && { [ ! -g "$1" ] || chmod 00700 -- "$1"; } && soil "${1%/*}"
  fi
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
