# Puts a tree into a folder, file by file and each at once, and takes that back. POSIX sh; run in purvey's own folder for the object.
#
# The arguments are the name of a folder in TARGET that nobody else uses meanwhile, then:
#
#   put TARGET COPY OWNER                                 standard input: a tar archive of `tree`, `first` and `last`
#   unpack TARGET COPY OWNER LIST ARCHIVE FORMAT STRIP MARK    what is in an archive, in place of what LIST names
#   gone TARGET '' '' LIST                                remove what LIST names
#   back TARGET COPY '' LIST                              what is kept in COPY, as it was
#
# `first` and `last` are names to remove before and after. COPY, a folder here, is made before anything is changed, and once: it
# holds what was there of all that changes. An empty COPY keeps nothing. LIST, a file here, names what was unpacked. MARK, which says
# that all of it was, is in the folder, and goes first.
#
# The tree may be owned by somebody who is not to get more rights by us, and who changes it while we work. So everything is done in
# the folder where we stand, after a look whether that is the one that was meant, and by names without a slash.

set -eu
umask 077
name=$1
shift
verb=$1 target=$2 copy=${3:+$PWD/$3} owner=${4-} list=$PWD/${5:-none} own=$PWD
nl='
'

settle() { sync -f . "$root/" 2>/dev/null || sync; } # What was written survives a power failure.

names() { (cd "$1" && find . ! -path . | LC_ALL=C sort); }

each() { tr '\n' '\0' | xargs -0 "$@"; } # COMMAND...: with the names that are read as more arguments.

is_folder() { [ -d "$1" ] && [ ! -L "$1" ]; }

# Stand in a folder below TARGET. It fails where none is there, or a link is on the way, and we may be anywhere then.
into() { # NAME
  cd -P -- "$root/$1" 2>/dev/null && [ "${PWD%/}" = "$root${1#.}" ]
}

astray() { complain 73 "$root${1#.}"; } # NAME: of a folder to be, where a link is, or on the way to it.

# The names on standard input go: files, then folders that are empty, the innermost first. What is behind a link is somebody else's.
away() (
  LC_ALL=C sort -r >"$new/away"
  folder=
  set --
  while IFS= read -r name; do
    if [ "${name%/*}" != "$folder" ] || [ $# -gt 500 ]; then
      [ $# -eq 0 ] || rm -f -- "$@"
      set --
      folder=${name%/*} here=
      if into "$folder"; then here=1; fi
    fi
    if [ -z "$here" ]; then continue; fi
    if is_folder "./${name##*/}"; then printf '%s\n' "$name" >&3; else set -- "$@" "./${name##*/}"; fi
  done <"$new/away" 3>"$new/folders"
  [ $# -eq 0 ] || rm -f -- "$@"
  while IFS= read -r name; do
    if into "${name%/*}"; then rmdir -- "./${name##*/}" 2>/dev/null || [ -d "./${name##*/}" ]; fi
  done <"$new/folders"
)

save() ( # TREE: copies of the names that are read, a process for those of each folder.
  mkdir "$1"
  tree=$1 folder=
  set --
  while IFS= read -r name; do
    if [ "${name%/*}" != "$folder" ]; then
      [ $# -eq 0 ] || cp -pP -- "$@" "$tree/$folder/"
      set --
      folder=${name%/*}
      mkdir -p -- "$tree/$folder"
      into "$folder" || astray "$folder"
    fi
    set -- "$@" "./${name##*/}"
  done
  [ $# -eq 0 ] || cp -pP -- "$@" "$tree/$folder/"
)

keep() {
  if [ -z "$copy" ] || [ -d "$copy" ]; then return 0; fi
  rm -rf -- "${copy%/*}"
  mkdir -p -- "$copy.new"
  : >"$copy.new/added"
  folder=
  LC_ALL=C sort -u "$new/names" "$new/first" "$new/last" | while IFS= read -r name; do
    if [ "${name%/*}" != "$folder" ]; then
      folder=${name%/*} here=
      if into "$folder"; then here=1; fi
    fi
    item=./${name##*/}
    if [ -n "$here" ] && is_folder "$item"; then
      printf '%s\n' "$name" >&3
    elif [ -n "$here" ] && { [ -e "$item" ] || [ -L "$item" ]; }; then
      printf '%s\n' "$name" >&4
    else
      printf '%s\n' "$name" >&5
    fi
  done 3>"$copy.new/folders" 4>"$copy.new/files" 5>"$copy.new/added"
  if [ -s "$copy.new/folders" ]; then (cd -- "$root/" && each stat -c '%a %u:%g %n' --) <"$copy.new/folders"; fi >"$copy.new/attributes"
  save "$copy.new/tree" <"$copy.new/files"
  [ ! -f "$list" ] || cp "$list" "$copy.new/list"
  settle
  mv -- "$copy.new" "$copy"
}

# Before anything is changed: no folder of `tree` is a link in TARGET, unless that goes first.
stays_inside() {
  (cd "$new/tree" && find . -type d) | while IFS= read -r folder; do
    [ ! -L "$root/$folder" ] || LC_ALL=C grep -qxF -- "$folder" "$new/first" || astray "$folder"
  done
}

# All of `tree`, folder by folder. FOLDERS: whether `all` get the attributes that they have there, or `new` ones only.
place() { # FOLDERS
  which=$1
  (cd "$new/tree" && find . -type d | LC_ALL=C sort) | while IFS= read -r folder; do
    attributes=
    if [ "$folder" != . ]; then
      attributes=$which
      into "${folder%/*}" || astray "$folder"
      is_folder "./${folder##*/}" || { mkdir -- "./${folder##*/}" && attributes=all; }
    fi
    into "$folder" || astray "$folder"
    if [ "$attributes" = all ]; then
      [ -z "$owner" ] || chown -- "$owner" .
      chmod -- "$(stat -c %a -- "$new/tree/$folder")" .
    fi
    set --
    for file in "$new/tree/$folder"/* "$new/tree/$folder"/.[!.]* "$new/tree/$folder"/..?*; do
      if [ -L "$file" ] || [ -f "$file" ]; then
        ! is_folder "./${file##*/}" || complain 1 "$PWD/${file##*/}: Is a directory"
        set -- "$@" "$file"
      fi
    done
    [ $# -eq 0 ] || mv -f -- "$@" ./
  done
}

merge() { # FOLDERS
  names "$new/tree" >"$new/names"
  stays_inside
  [ -z "$owner" ] || (cd "$new/tree" && find . ! -path . -exec chown -h -- "$owner" {} +)
  keep
  settle
  away <"$new/first"
  place "$1"
  away <"$new/last"
}

extract() { # ARCHIVE FORMAT: into this folder.
  case $2 in
    tar) tar -xpo -f "$1" ;;
    tar.gz) tar -xpoz -f "$1" ;;
    tar.bz2) tar -xpoj -f "$1" ;;
    tar.xz) tar -xpoJ -f "$1" ;;
    zip)
      command -v unzip >/dev/null || complain 69 'unzip is not there'
      unzip -q -o "$1"
      ;;
  esac
}

strip() { # What is in the folders at the top comes to the top; files that are there are left away.
  mkdir "$new/stripped"
  for folder in "$new/tree"/* "$new/tree"/.[!.]* "$new/tree"/..?*; do
    if [ ! -d "$folder" ] || [ -L "$folder" ]; then continue; fi
    for file in "$folder"/* "$folder"/.[!.]* "$folder"/..?*; do
      if [ -e "$file" ] || [ -L "$file" ]; then mv -- "$file" "$new/stripped/"; fi
    done
  done
  rm -rf "$new/tree"
  mv "$new/stripped" "$new/tree"
}

stage "$target" "$name"
root=$around
exec 9<.
cd -- "$own"
new=/proc/self/fd/9 # Whatever it is called meanwhile; what is made from a folder alone, as an image is, may have none.
[ -d "$new/" ] || new=$root/$name
rm -rf -- "$new"/*
trap 'rm -rf -- "$new"/*; rmdir -- "$root/$name" || :' EXIT
case $verb in
  put)
    (cd "$new" && tar -xpm -o -f -)
    merge all
    ;;
  unpack)
    case $6 in /*) archive=$6 ;; *) archive=$PWD/$6 ;; esac
    mkdir "$new/tree"
    printf './%s\n' "$9" >"$new/first"
    : >"$new/last"
    (umask 022 && cd "$new/tree" && extract "$archive" "$7")
    left=$8
    while [ "$left" -gt 0 ]; do
      strip
      left=$((left - 1))
    done
    names "$new/tree" >"$new/now"
    [ -s "$new/now" ] || complain 66 'Nothing is left to unpack.'
    [ -z "$(find "$new/tree" ! -type f ! -type d ! -type l)" ] || complain 66 'It holds something that is no file, folder or link.'
    [ -z "$(find "$new/tree" -name "*$nl*")" ] || complain 66 'A name in it has a line end.'
    [ ! -f "$list" ] || LC_ALL=C grep -vxF -f "$new/now" "$list" >"$new/last" || [ $? = 1 ]
    cp "$new/now" "$list.new"
    merge new
    mv -f "$list.new" "$list"
    ;;
  gone)
    [ ! -f "$list" ] || away <"$list"
    rm -f "$list"
    ;;
  back)
    [ -d "$copy" ] || exit 0
    away <"$copy/added"
    (while IFS= read -r name; do
      if into "${name%/*}" && is_folder "./${name##*/}"; then rmdir -- "./${name##*/}"; fi
    done <"$copy/files")
    (while IFS= read -r line; do
      mode=${line%% *} line=${line#* }
      ids=${line%% *} name=${line#* }
      into "${name%/*}" || astray "$name"
      is_folder "./${name##*/}" || { rm -f -- "./${name##*/}" && mkdir -- "./${name##*/}"; }
      into "$name" || astray "$name"
      chown -- "$ids" .
      chmod -- "$mode" .
    done <"$copy/attributes")
    cp -pPR -- "$copy/tree" "$new/tree"
    place new
    if [ -f "$copy/list" ]; then mv -f "$copy/list" "$list"; else rm -f "$list"; fi
    rm -rf -- "${copy%/*}"
    ;;
esac
settle
