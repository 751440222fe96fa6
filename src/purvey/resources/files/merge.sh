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

set -eu
umask 077
name=$1
shift
verb=$1 target=$2 copy=${3:+$PWD/$3} owner=${4-} list=${5:-none}
new=$target/$name

complain() { # CODE TEXT
  echo "$2" >&2
  exit "$1"
}

settle() { sync -f . "$target" 2>/dev/null || sync; } # What was written survives a power failure.

names() { (cd "$1" && find . ! -path . | sort); }

each() { tr '\n' '\0' | xargs -0 "$@"; } # COMMAND...: with the names that are read as more arguments.

# The names on standard input go: files, then folders that are empty, the innermost first.
away() {
  sort -r >"$new/away"
  while IFS= read -r name; do
    if [ -d "$target/$name" ] && [ ! -L "$target/$name" ]; then echo "$target/$name" >&3; else echo "$target/$name"; fi
  done <"$new/away" 3>"$new/folders" | each rm -f --
  while IFS= read -r name; do rmdir -- "$name" 2>/dev/null || [ -d "$name" ]; done <"$new/folders"
}

save() { # TREE: copies of the names that are read, a process for those of each folder.
  mkdir "$1"
  tree=$1 here=
  set --
  while IFS= read -r name; do
    if [ "${name%/*}" != "$here" ]; then
      [ $# -eq 0 ] || cp -pP -- "$@" "$tree/$here/"
      set --
      here=${name%/*}
      mkdir -p -- "$tree/$here"
    fi
    set -- "$@" "$target/$name"
  done
  [ $# -eq 0 ] || cp -pP -- "$@" "$tree/$here/"
}

keep() {
  if [ -z "$copy" ] || [ -d "$copy" ]; then return 0; fi
  rm -rf -- "${copy%/*}"
  mkdir -p -- "$copy.new"
  : >"$copy.new/added"
  sort -u "$new/names" "$new/first" "$new/last" | while IFS= read -r name; do
    if [ -d "$target/$name" ] && [ ! -L "$target/$name" ]; then
      echo "$name" >&3
    elif [ -e "$target/$name" ] || [ -L "$target/$name" ]; then
      echo "$name" >&4
    else
      echo "$name" >&5
    fi
  done 3>"$copy.new/folders" 4>"$copy.new/files" 5>"$copy.new/added"
  if [ -s "$copy.new/folders" ]; then (cd "$target" && each stat -c '%a %u:%g %n' --) <"$copy.new/folders"; fi >"$copy.new/attributes"
  save "$copy.new/tree" <"$copy.new/files"
  [ ! -f "$list" ] || cp "$list" "$copy.new/list"
  settle
  mv -- "$copy.new" "$copy"
}

# All of `tree`, folder by folder. FOLDERS: whether `all` get the attributes that they have there, or `new` ones only.
place() { # FOLDERS
  which=$1
  (cd "$new/tree" && find . -type d | sort) | while IFS= read -r folder; do
    to=$target/$folder
    if [ "$folder" != . ] && { [ "$which" = all ] || [ ! -d "$to" ]; }; then
      [ -d "$to" ] || mkdir -- "$to"
      [ -z "$owner" ] || chown -- "$owner" "$to"
      chmod -- "$(stat -c %a -- "$new/tree/$folder")" "$to"
    fi
    set --
    for file in "$new/tree/$folder"/* "$new/tree/$folder"/.[!.]* "$new/tree/$folder"/..?*; do
      if [ -L "$file" ] || [ -f "$file" ]; then
        [ ! -d "$to/${file##*/}" ] || [ -L "$to/${file##*/}" ] || complain 1 "$to/${file##*/}: Is a directory"
        set -- "$@" "$file"
      fi
    done
    [ $# -eq 0 ] || mv -f -- "$@" "$to/"
  done
}

merge() { # FOLDERS
  names "$new/tree" >"$new/names"
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

rm -rf -- "$new"
mkdir -- "$new"
trap 'rm -rf -- "$new"' EXIT
case $verb in
  put)
    (cd "$new" && tar -xpm -o -f -)
    merge all
    ;;
  unpack)
    case $6 in /*) archive=$6 ;; *) archive=$PWD/$6 ;; esac
    mkdir "$new/tree"
    echo "./$9" >"$new/first"
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
    [ ! -f "$list" ] || grep -vxF -f "$new/now" "$list" >"$new/last" || [ $? = 1 ]
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
    while IFS= read -r name; do
      if [ -d "$target/$name" ] && [ ! -L "$target/$name" ]; then rmdir -- "$target/$name"; fi
    done <"$copy/files"
    while read -r mode ids name; do
      [ -d "$target/$name" ] || { rm -f -- "$target/$name" && mkdir -- "$target/$name"; }
      chown -- "$ids" "$target/$name"
      chmod -- "$mode" "$target/$name"
    done <"$copy/attributes"
    cp -pPR -- "$copy/tree" "$new/tree"
    place new
    if [ -f "$copy/list" ]; then mv -f "$copy/list" "$list"; else rm -f "$list"; fi
    rm -rf -- "${copy%/*}"
    ;;
esac
settle
