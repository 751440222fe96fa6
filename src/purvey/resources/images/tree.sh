# Makes a root file system, at once and whole, or leaves nothing.
#   bootstrap ROOT MARK ARGUMENT...      by mmdebstrap, with these arguments
#   unpack ROOT MARK ARCHIVE DIGEST      out of an archive of one

set -u
umask 022
action=$1 root=$2 mark=$3
shift 3
draft=$root.draft

trap 'rm -rf --one-file-system -- "$draft"' 0
trap 'exit 75' 1 2 13 15
[ "$(id -u)" = 0 ] || exit 77
rm -rf --one-file-system -- "$draft" || exit 74

case $action in
  bootstrap) mmdebstrap "$@" ;;
  unpack)
    printf '%s  %s\n' "$2" "$1" | sha256sum --check --status || exit 66
    mkdir -- "$draft" && tar --extract --file "$1" --directory "$draft" --numeric-owner --same-owner --preserve-permissions \
      --xattrs --xattrs-include='*'
    ;;
esac </dev/null || exit 74

# What is installed in it later starts nothing: a daemon in it would be one of this machine.
if ! [ -e "$draft/usr/sbin/policy-rc.d" ] && [ -d "$draft/usr/sbin" ]; then
  printf '#!/bin/sh\nexit 101\n' >"$draft/usr/sbin/policy-rc.d" && chmod 755 "$draft/usr/sbin/policy-rc.d" || exit 74
fi
(umask 077 && mkdir -p -- "$draft/var/lib/purvey") && printf '%s\n' "$mark" >"$draft/var/lib/purvey/tree" || exit 74
sync -f "$draft" && mv -T -- "$draft" "$root" || exit 74
