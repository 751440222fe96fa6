"""What a machine runs to see a checkout, and to make or change one. POSIX sh."""

from __future__ import annotations

from typing import Final

AS_USER: Final = r"""
if [ -z "$1" ] || [ "$1" = "$(id -un)" ]; then shift; exec "$@"; fi
user=$1
shift
exec su -s /bin/sh -c 'exec "$0" "$@"' -- "$user" "$@"
"""
"""Be a command as a user: USER COMMAND..., where an empty USER is who we are."""

LOOK: Final = r"""
if [ ! -d "$1/.git" ]; then exit 0; fi
cd -- "$1" || exit 3
printf 'repository %s\n' "$(git config --get remote.origin.url)"
printf 'commit %s\n' "$(git rev-parse --verify --quiet HEAD)"
printf 'branch %s\n' "$(git symbolic-ref --short --quiet HEAD)"
git status --porcelain --untracked-files=no | while IFS= read -r line; do printf 'changed %s\n' "$line"; done
printf 'unknown %s\n' "$(git status --porcelain --untracked-files=normal | head -n 1)"
own() { git rev-list --max-count=1 "$@" --not --remotes --glob=refs/purvey; }
if [ -n "$(own --branches $(git rev-parse --verify --quiet HEAD) $(git rev-parse --verify --quiet refs/stash))" ]; then
  for ref in HEAD $(git for-each-ref --format='%(refname)' refs/heads refs/stash); do
    [ -z "$(own "$ref")" ] || printf 'own %s %s\n' "$ref" "$(git log -1 --format='%h %s' "$ref" --)"
  done
fi
if [ -n "$2" ]; then
  export GIT_TERMINAL_PROMPT=0 GIT_SSH_COMMAND='ssh -oBatchMode=yes'
  printf 'there %s\n' "$(git ls-remote -- "$3" "$2" | cut -f1 | tail -n 1)"
fi
"""
"""Tell what is there: PATH REF REPOSITORY, where an empty REF asks nothing of the repository."""

CHECK_OUT: Final = r"""
set -eu
path=$1 repository=$2 how=$3 name=$4 submodules=$5 host=$6
umask 022
export GIT_TERMINAL_PROMPT=0
helper='!f() { printf "username=%s\npassword=%s\n" "$PURVEY_GIT_USER" "$PURVEY_GIT_PASSWORD"; }; f'
git() {
  if [ -z "${PURVEY_GIT_PASSWORD-}" ]; then command git "$@"; return; fi
  command git -c credential.helper= -c "credential.$host.helper=$helper" -c http.followRedirects=false "$@"
}
to() { # COMMIT
  next=$(git rev-parse --verify "$1^{commit}")
  there=$(git rev-parse --verify --quiet HEAD || :)
  if [ "$there" = "$(git rev-parse --verify --quiet refs/purvey/next || echo none)" ]; then
    git update-ref refs/purvey/now "$there"
  fi
  git update-ref refs/purvey/next "$next"
}
[ -d "$path" ] || mkdir -- "$path"
cd -- "$path"
[ -d .git ] || git init --quiet
git config remote.origin.url "$repository"
git config remote.origin.fetch '+refs/heads/*:refs/remotes/origin/*'
case $how in
  branch)
    git fetch --quiet origin "+refs/heads/$name:refs/remotes/origin/$name"
    to "refs/remotes/origin/$name"
    git checkout --quiet -B "$name" "refs/remotes/origin/$name"
    ;;
  tag)
    git fetch --quiet origin "+refs/tags/$name:refs/tags/$name"
    to "refs/tags/$name"
    git checkout --quiet --detach "refs/tags/$name"
    ;;
  commit)
    git cat-file -e "$name^{commit}" 2>/dev/null || git fetch --quiet --tags origin
    to "$name"
    git checkout --quiet --detach "$name"
    ;;
esac
if [ -n "$submodules" ]; then git submodule --quiet update --init --recursive; fi
"""
"""Check out: PATH REPOSITORY branch|tag|commit NAME SUBMODULES HOST."""
