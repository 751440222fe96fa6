# Puts a tree into a folder, file by file and each at once, and takes that back. POSIX sh; run in purvey's own folder for the object.
#
#   put TARGET COPY OWNER                            standard input: a tar archive of `tree`, `first` and `last`
#   back TARGET COPY                                 what is kept in COPY, as it was
#
# `first` and `last` are names to remove before and after. COPY, a folder here, is made before anything is changed, and once: it
# holds what was there of all that changes. An empty COPY keeps nothing.

set -eu
umask 077
verb=$1 target=$2 copy=${3:+$PWD/$3} owner=${4-}
new=$target/.purvey.new

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

rm -rf -- "$new"
mkdir -- "$new"
trap 'rm -rf -- "$new"' EXIT
case $verb in
  put)
    (cd "$new" && tar -xpm -o -f -)
    merge all
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
    rm -rf -- "${copy%/*}"
    ;;
esac
settle
