# The ways to what is asked or changed: which of them others can change, and where their links may lead us.
#
# In a folder that others may change, or that is behind such a one, we stand while we work: a link that they put into our way cannot
# lead us elsewhere then. What is made there is made in a folder of ours, and so theirs only when it has its place.

# Whether nobody but root and us can change a folder and the way to it, also where links of root and ours lead. Else `doubtful` is the
# first place on the way of which that is not certain, and `goal` the folder as it is called behind those links. What is certain
# remains so until a command has run, a folder is gone, or one has got another owner or mode.
safe() { # FOLDER
  case $1 in "$B"/*) return ;; esac
  case $sure in *"$nl$1$nl"*) return ;; esac
  if [ -n "$hired" ] && clerk safe "$1"; then
    sure=$sure$1$nl
    return
  fi
  wanted=$1
  goal=$1
  links=0
  while ! certain "$goal"; do
    [ -n "$own" ] && [ -L "$doubtful" ] && [ "$links" -lt 40 ] || return 1
    links=$((links + 1))
    to=$(readlink -- "$doubtful" && printf .) || return 1 # Nobody else can have it lead elsewhere, nor replace it.
    to=${to%"$nl".}
    case $to in /*) ;; *) to=${doubtful%/*}/$to ;; esac
    goal=$to${goal#"$doubtful"}
  done
  sure=$sure$wanted$nl
}

certain() { # FOLDER: see `safe`; a link is not. Sets `own` if `doubtful` is root's or ours.
  rest=${1#/}
  at=
  set -- /
  while [ -n "$rest" ]; do
    at=$at/${rest%%/*}
    set -- "$@" "$at"
    case $rest in */*) rest=${rest#*/} ;; *) rest= ;; esac
  done
  own=
  sticky=
  for line in $(stat -c %a.%u -- "$@" 2>/dev/null); do
    doubtful=$1
    case $line in *".$uid" | *.0) ;; *) return 1 ;; esac
    case $line in
      [1357]??[2367].* | [1357]?[2367]?.*)
        [ $# -gt 1 ] || return 1 # On the way it will do that nobody can replace what is ours; but they can bring a link of root's.
        sticky=1
        ;;
      *[2367].* | *[2367]?.*)
        case $sticky$line in 1*.0) ;; *) own=1 ;; esac
        return 1
        ;;
      *) sticky= ;;
    esac
    shift
  done
  doubtful=${1-}
  [ $# -eq 0 ]
}

not_ours() { # COMPLAINT
  printf '%s: Operation not permitted\n' "$1" >&2
  return 1
}

# Stand in a folder that is not safe, `stood` from then on, if the links on the way there may lead us.
approach() { # FOLDER, of which `safe` has just said that it is not
  apart=1
  cd -P -- "$goal" 2>/dev/null || {
    ls -d -- "$1/." >/dev/null
    return 1
  }
  stood=$(env pwd -P) || return
  [ "$stood" = "$goal" ] || led || not_ours "$1: a link that others may change leads to $stood"
}

# Whether those who may have put the links on the way to `goal` where they are could do without us what is done where they lead:
# their owners, those of the folders they are in, and that of the first folder that others can change; `any` for a link of root's or
# ours in a folder that is shared, for anybody may have brought it there. A link may lead to what is theirs; and within that first
# folder, if it is theirs or shared by root or us.
led() {
  place=
  rest=${goal#/}
  base=
  leads=
  while [ -n "$rest" ]; do
    name=${rest%%/*}
    case $rest in */*) rest=${rest#*/} ;; *) rest= ;; esac
    case $name in
      '' | .) continue ;;
      ..)
        place=${place%/*}
        continue
        ;;
    esac
    line=$(stat -c %a.%u -- "$place/$name") && [ "${#leads}" -lt 500 ] || return 1 # 500: a ring of links.
    of=${line#*.}
    if [ -L "$place/$name" ]; then
      inside=
      case $place/ in "${base:-//}"/*) inside=inside ;; esac
      line=$(stat -c %a.%u -- "${place:-/}") || return 1
      for putter in $(putters); do leads="$leads $putter.$inside"; done
      to=$(readlink -- "$place/$name" && printf .) || return 1
      case $to in /*) place= ;; esac
      rest=${to%"$nl".}/$rest
      continue
    fi
    place=$place/$name
    [ -z "$base" ] || continue
    case $of:$line in
      0:[1357]???.* | "$uid":[1357]???.*) continue ;;
      *[2367].* | *[2367]?.*) ;;
      0:* | "$uid":*) continue ;;
    esac
    base=$place
    keeper=$of
  done
  [ "${place:-/}" = "$stood" ] && owner=$(stat -c %u .) || return
  for line in $leads; do
    of=${line%.*}
    case $line:$stood/ in *.inside:"${base:-//}"/*) case $keeper in 0 | "$uid" | "$of") continue ;; esac ;; esac
    [ "$of" = "$owner" ] && [ ! -O . ] || return 1
  done
}

putters() { # Of a link that is `of` somebody, in a folder of which `line` tells.
  for putter in "$of" "${line#*.}" ${base:+"$keeper"}; do
    is_ours "$putter" || echo "$putter"
  done
  is_ours "$of" || return 0
  case $line in
    *[2367].* | *[2367]?.*)
      case $uid:$line:$of in
        0:*) echo any ;;
        *".$uid:"*) ;; # A group of our own may well be all who share it.
        *:[1357]???.*":$uid") ;; # Nobody has a link of ours that we did not put there.
        *) echo any ;;
      esac
      ;;
    *)
      if [ -n "$base" ] && is_ours "$keeper"; then
        [ "$uid" != 0 ] && [ "$keeper" = "$uid" ] || echo any
      fi
      ;;
  esac
}

is_ours() {
  [ "$1" = 0 ] || [ "$1" = "$uid" ]
}

back() {
  apart=
  cd -- "$here" 2>/dev/null || cd /
}

held() { # PATH COMMAND...: let a command read a file where others may put a link in its place: not what that leads to.
  name=$1
  shift
  {
    if [ "$(stat -L -c %d:%i /proc/self/fd/0)" = "$(stat -c %d:%i -- "$name")" ]; then "$@"; else not_ours "$name: it was replaced"; fi
  } <"$name"
}
