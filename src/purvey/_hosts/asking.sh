# What a program begins with that asks a machine something or works on it. POSIX sh: dash, bash, busybox ash.
#
# `N` is a random word that begins every frame. Frames go to descriptor 3, which no command of others gets; when nobody reads any
# more, the work goes on all the same.

# What a login has exported under one of our names would change for every command, so it is put aside, until a command has it back.
purvey_theirs="
${B+B }${F+F }${L+L }${M+M }${N+N }${P+P }${S+S }${U+U }${a+a }${above+above }${ahead+ahead }${answer+answer }
${apart+apart }${as_user+as_user }${at+at }${at_work+at_work }${b+b }${base+base }${before+before }${began+began }
${boot+boot }${by+by }${c+c }${changes_user+changes_user }${clerk+clerk }${code+code }${codes+codes }${copy+copy }
${d+d }${doubtful+doubtful }${entry+entry }${err+err }${exact+exact }${failed+failed }${file+file }${firm+firm }
${first+first }${folder+folder }${format+format }${found+found }${g+g }${gid+gid }${goal+goal }${group+group }${group_id+group_id }
${here+here }${hired+hired }${home+home }${ids+ids }${input+input }${inside+inside }${keeper+keeper }${lang+lang }${last+last }
${leads+leads }${limit+limit }${line+line }${links+links }${machine+machine }${mask+mask }${me+me }${mine+mine }${mode+mode }${name+name }${nl+nl }${number+number }
${of+of }${other+other }${own+own }${our_group+our_group }${ours+ours }${out+out }${owner+owner }${past+past }
${path+path }${pending+pending }${pid+pid }${putter+putter }${place+place }${rest+rest }${running+running }${said+said }${seen+seen }${since+since }
${since_then+since_then }${size+size }${soiled+soiled }${spent+spent }${started+started }${sticky+sticky }${stood+stood }
${stopped+stopped }${sums+sums }${sure+sure }${text+text }${timeout+timeout }${to+to }${token+token }${told+told }${uid+uid }
${unread+unread }${user+user }${w+w }${wanted+wanted }${was+was }${who+who }${why+why }${word+word }${words+words }
"
for purvey_name in $purvey_theirs; do
  eval "purvey_its_$purvey_name=\$$purvey_name; unset $purvey_name"
done

give_back() { # From here on nothing of ours may be looked at.
  for purvey_name in $purvey_theirs; do
    eval "export $purvey_name=\"\$purvey_its_$purvey_name\""
  done
}

exec 3>&1
trap '' HUP PIPE
lang=${LC_ALL-}
export LC_ALL=C PATH="$PATH:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
nl='
'
sure=$nl
here=$PWD
apart=
hired=
ahead=

# Each write becomes a packet that both ends work on, so what is said waits until a process writes there itself, something takes
# its time, or all is done.
told=
say() { told=$told$nl$N' '$*$nl; } # WORD...: begins a frame.
tell() {
  [ -z "$told" ] || printf %s "$told" 2>/dev/null >&3
  told=
}

# Before what may take long, what was said is told, with a frame after it, so that all of it counts.
busy() {
  [ -z "$told" ] || {
    say busy
    tell
  }
}

# Who we are and where: the words of id(1), the home, the machine's id, the boot's id, the folder for purvey's own things, and
# the umask. What of it has been told before is given.
hello() { # [UMASK WHO MACHINE BOOT]
  who=${2-}
  U=${1-}
  machine=${3-}
  boot=${4-}
  if [ $# = 0 ]; then
    for file in /etc/machine-id /var/lib/dbus/machine-id; do
      [ -n "$machine" ] || { [ -r "$file" ] && IFS= read -r machine <"$file"; }
    done
    [ -r /proc/sys/kernel/random/boot_id ] && IFS= read -r boot </proc/sys/kernel/random/boot_id
  fi
  [ -n "$who" ] || is_root
  if [ -z "$who" ]; then
    who=$(umask && exec id)
    U=${who%%"$nl"*}
    who=${who#*"$nl"}
  fi
  uid=${who#uid=}
  uid=${uid%%[!0-9]*}
  me=$uid
  case $who in "uid=$uid("*)
    me=${who#*\(}
    me=${me%%\)*}
    ;;
  esac
  our_group=${who#* gid=*\(}
  our_group=${our_group%%\)*}
  case $uid in 0) B=/var/lib/purvey ;; *) B=${XDG_STATE_HOME:-$HOME/.local/state}/purvey ;; esac
  say hello
  told=$told$who$nl$HOME$nl$machine$nl$boot$nl$B$nl$U
}

# Sets `who` and `U` where we certainly are root, for id(1) takes a process to say so.
is_root() {
  mask=
  ids=
  [ -r /proc/self/status ] && while read -r word a b c d _; do
    case $word in
      Umask:) mask=$a ;;
      Uid:) ids="$a $b $c $d" ;;
      Gid:)
        ids="$ids $a $b $c $d"
        break
        ;;
    esac
  done </proc/self/status
  [ "$ids" = '0 0 0 0 0 0 0 0' ] && [ -n "$mask" ] && [ -r /etc/passwd ] && [ -r /etc/group ] || return 0
  IFS=: read -r a _ b c _ </etc/passwd
  IFS=: read -r d _ ids _ </etc/group
  if [ "$a $b $c $d $ids" = 'root 0 0 root 0' ]; then
    who='uid=0(root) gid=0(root)'
    U=$mask
  fi
}

plain_file() { # PATH
  [ -f "$1" ] && [ ! -L "$1" ]
}

# Asking. What cannot be answered is told apart from the answers, in the order of the arguments: names need not be understood.

# The first `ahead` of the paths are ways to files whose content is asked for, from the root on.
stats() { # PATH...
  seen=
  if [ $# = 1 ] && [ -n "$hired" ] && clerk look "$1"; then
    say stats
    told=$told${answer#done }$nl
    return
  fi
  say unseen
  tell
  seen=$(QUOTING_STYLE=literal stat -c '%f:%s:%u:%g:%U:%G:%N' -- "$@" / 2>&3 </dev/null)
  say stats
  told=$told${seen%"${seen##*"$nl"}"} # The root is last, for a shell cuts off line ends there, which may belong to a name.
  [ -z "$ahead" ] || ways "$@"
}

# Finds which folders are safe (see there) in what stat(1) has just said of them, so that it need not be asked again.
ways() { # FOLDER...
  firm=$nl # Those that nobody else can replace; what is in them may be replaced by others all the same.
  words=$IFS
  IFS=$nl
  set -f
  for line in $seen; do
    [ "$ahead" -gt 0 ] || break
    ahead=$((ahead - 1))
    above=${1%/*}
    case $line in a*) break ;; esac # What a link leads to may look like more lines.
    case $line$nl in *":$1$nl") ;; *) break ;; esac # A name with a line end in it, or one that is not there.
    case $firm$1 in *"$nl${above:-/}$nl"* | "$nl/")
      mode=${line%%:*}
      owner=${line#*:*:}
      case $owner:$mode in
        0:*:*[13579bdf]? | 0:*:*[2367abef] | "$uid":*:*[13579bdf]? | "$uid":*:*[2367abef])
          case $mode in *[2367abef]??) firm=$firm$1$nl ;; esac # Only who owns something there can replace it.
          ;;
        0:* | "$uid":*)
          firm=$firm$1$nl
          sure=$sure$1$nl
          ;;
      esac
      ;;
    esac
    shift
  done
  set +f
  IFS=$words
  ahead=
}

digests() { # PATH...: of those that are files.
  first=1
  for path; do
    [ -z "$first" ] || set --
    first=
    if plain_file "$path"; then set -- "$@" "$path"; fi
  done
  [ $# -gt 0 ] || return 0
  say digests
  if sums=$(sha256sum -- "$@" 2>/dev/null </dev/null); then # It writes line by line, and each would become a packet.
    told=$told$sums$nl
  else
    tell
    unread=$(sha256sum -- "$@" 2>&1 >&3 </dev/null)
    say unread
    told=$told$unread$nl
  fi
}

content() { # NUMBER PATH
  say content "$1"
  if ! plain_file "$2"; then
    say code none
    return
  fi
  above=${2%/*}
  above=${above:-/}
  if safe "$above"; then
    size=${seen%%":$2$nl"*} # What stat(1) has said of it, if it was of that.
    size=${size##*"$nl"}
    size=${size#*:}
    if short "${size%%:*}" "$2"; then
      told=$told$text
      say code 0
      return
    fi
    tell
    unread=$(cat -- "$2" 2>&1 >&3 </dev/null)
  else
    tell
    unread=$( (approach "$above" && held "./${2##*/}" cat) 2>&1 >&3 </dev/null)
  fi
  case $?:$unread in
    0:*) say code 0 ;;
    *"Permission denied" | *"Operation not permitted") say code denied ;;
    *) say code failed ;;
  esac
}

# Sets `text` to what is in a short file. A shell reads byte by byte; 1,024 take dash(1) 0.3 ms, and bash(1) 0.4, where cat(1) takes 1.1
# and 1.8. Fails where it is longer, or not of that size: shells drop bytes that are zero.
short() { # BYTES PATH
  text=
  case $1 in '' | *[!0-9]* | ?????*) return 1 ;; esac
  [ "$1" -le 1024 ] || return 1
  {
    while IFS= read -r line; do text=$text$line$nl; done
    text=$text$line
  } 2>/dev/null <"$2" && [ "${#text}" = "$1" ]
}

asked() { # SECONDS COMMAND...: in a process of its own, which it becomes.
  exec 3>&- 8>&- 9<&-
  trap - HUP PIPE
  give_back
  exec timeout -k 2 "$@"
}

answer() { # NUMBER SECONDS COMMAND...
  number=$1
  shift
  say answer "$number"
  tell
  clock
  (asked "$@") 2>/dev/null </dev/null >&3
  outcome "$?" "$1"
  say code "$code"
}

says() { # SECONDS COMMAND...: what it says and its code, for a guard.
  (asked "$@") </dev/null
  printf 'code %s' "$?"
}

# Time, in hundredths of a second since the machine was started; none where it does not tell.
clock() {
  began=
  [ -r /proc/uptime ] && read -r began _ </proc/uptime
  began=${began%.*}${began#*.}
  while :; do
    case $began in 0?*) began=${began#0} ;; *) break ;; esac # Else it is octal.
  done
}

outcome() { # CODE SECONDS: sets `code`, to -1000 if the command was ended because its time was over.
  code=$1
  [ "$code" != 0 ] || return 0
  before=$began
  clock
  if [ -n "$began" ]; then
    [ $((began - before)) -lt $(($2 * 100)) ] || code=-1000
  else
    case $code in 124 | 137 | 143) code=-1000 ;; esac
  fi
}

# What commands printed may be secret, so it stays no longer than until it is written down elsewhere. The names go with a later
# run, as that takes a process.
spend() { # FOLDER TOKEN...
  spent=$1/said
  shift
  for token; do
    for said in "$spent/$token.out" "$spent/$token.err"; do
      [ ! -s "$said" ] || printf '' >"$said"
    done
  done
}
