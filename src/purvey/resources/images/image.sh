# What is asked and done of the images of a tree.
#   look TREE FOLDER NAME ENDING EXCLUDED
#   pack TREE FOLDER NAME ENDING EXCLUDED DIGEST MODE [SCAN...]
# EXCLUDED has patterns of tar, with tabs between them. DIGEST is the one of the archive before it is compressed, so that of what is in it.

set -u
umask 077
export LC_ALL=C
action=$1 tree=$2 folder=$3 name=$4 ending=$5 excluded=$6
shift 6
newline='
'
tab=$(printf '\t')

# The tree as an archive that is the same for the same content, whenever and wherever it is made. All times are the first that
# zip can tell.
stream() (
  set -f
  IFS=$tab
  set --
  for pattern in $excluded; do set -- "$@" "--exclude=$pattern"; done
  exec tar --create --directory "$tree" --sort=name --format=posix \
    --pax-option='exthdr.name=%d/PaxHeaders/%f,delete=atime,delete=ctime' --mtime=@315532800 --numeric-owner \
    --xattrs --xattrs-include=security.capability --anchored --wildcards "$@" .
)

compress() {
  case $ending in
    *.zst) zstd --quiet ;;
    *.gz) gzip --no-name ;;
    *.xz) xz ;;
    *) cat ;;
  esac
}

expand() {
  case $ending in
    *.zst) zstd --quiet --decompress ;;
    *.gz) gzip --decompress ;;
    *.xz) xz --decompress ;;
    *) cat ;;
  esac
}

summed() {
  sum=$(sha256sum) && printf '%s\n' "${sum%% *}"
}

# Tells the digest of the tree, or what is wrong with it.
look_at_tree() {
  said=$({ { stream 2>&3 3>&-; echo "code $?" >&3; } | summed; } 3>&1)
  digest=${said##*"$newline"}
  said=${said%"$newline"*}
  if [ "${said##*"code "}" = 0 ]; then
    printf 'tree %s\n' "$digest"
  else
    said=${said%"code "*}
    printf 'problem %s\n' "${said%%"$newline"*}"
    digest=
  fi
}

# Tells the images that there are, the newest first.
look_at_images() {
  h='[0-9a-f][0-9a-f][0-9a-f][0-9a-f]'
  cd "$folder" 2>/dev/null || return 0
  for it in $(ls -1t -- "$name"-$h$h$h$h.tar "$name"-$h$h$h$h.tar.* 2>/dev/null); do printf 'image %s\n' "$it"; done
}

tell() {
  sum=$(summed <"$1") && size=$(stat -c %s -- "$1") && printf '%s %s %s\n' "$2" "$size" "$sum"
}

pack() {
  draft=$folder/.$name.draft$ending
  trap 'rm -f -- "$draft"' 0
  trap 'exit 75' 1 2 13 15
  rm -f -- "$draft"
  codes=$({ { stream 3>&-; echo "$?" >&3; } | compress 3>&- >"$draft"; echo "$?" >&3; } 3>&1)
  [ "$codes" = "0${newline}0" ] || exit 74
  if [ "$(expand <"$draft" | summed)" != "$1" ]; then exit 67; fi
  chmod "$2" "$draft"
  target=$folder/$name-$(printf %.16s "$1")$ending
  shift 2
  if [ "$#" -gt 0 ]; then "$@" >&2 </dev/null || exit 65; fi
  sync "$draft" && mv -f -- "$draft" "$target" && sync "$folder" && tell "$target" packed
}

digest=
case $action in
  look)
    if [ -d "$tree" ]; then look_at_tree; fi
    look_at_images
    target=$folder/$name-$(printf %.16s "$digest")$ending
    if [ -n "$digest" ] && [ -f "$target" ]; then tell "$target" whole; fi
    ;;
  pack) pack "$@" ;;
esac
