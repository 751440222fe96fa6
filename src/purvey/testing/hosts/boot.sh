# Boots a host, again for as long as it reboots. The environment has:
#   LAB, HOST    namespaces of the switch and of the host
#   PORT         the host's port on the switch
#   ADDRESS MAC  of the host
#   NAME         its host name
#   FOLDER       where `root` is, and where `pid` and `boot_id` of the present boot are told

set -eu

# The machine around the host: everything of the last boot goes, connections and firewall rules included.
plug_in() {
  ip -n "$LAB" link delete "$PORT" 2>/dev/null || true
  ip netns delete "$HOST" 2>/dev/null || true
  ip netns add "$HOST"
  ip -n "$LAB" link add "$PORT" type veth peer name eth0 address "$MAC" netns "$HOST"
  ip -n "$LAB" link set "$PORT" master switch up
  ip -n "$HOST" -batch - <<COMMANDS
link set lo up
address add $ADDRESS/24 dev eth0
link set eth0 up
COMMANDS
}

# Inside its namespaces: what a kernel and a boot loader give to init. What would reach through to this machine is read-only.
enter() {
  # This /proc is still the machine's, so the number is, too.
  read -r pid rest </proc/self/stat
  hostname "$NAME"
  cd "$FOLDER/root"
  mount -t proc proc proc
  mount -t sysfs -o ro sysfs sys
  mount -t tmpfs -o mode=755 tmpfs run
  mkdir run/lock run/sshd
  mount -t tmpfs -o mode=755 tmpfs dev
  mknod -m 666 dev/null c 1 3
  mknod -m 666 dev/zero c 1 5
  mknod -m 666 dev/full c 1 7
  mknod -m 666 dev/random c 1 8
  mknod -m 666 dev/urandom c 1 9
  mknod -m 666 dev/tty c 5 0
  mkdir dev/pts dev/shm
  mount -t devpts -o newinstance,ptmxmode=666,mode=620,gid=5 devpts dev/pts
  mount -t tmpfs -o mode=1777 tmpfs dev/shm
  ln -s pts/ptmx dev/ptmx
  ln -s /proc/self/fd dev/fd
  ln -s /proc/self/fd/0 dev/stdin
  ln -s /proc/self/fd/1 dev/stdout
  ln -s /proc/self/fd/2 dev/stderr
  mount --bind proc/sys proc/sys
  mount -o remount,bind,ro proc/sys
  mount --bind proc/sys/net proc/sys/net
  mount -o remount,bind,rw proc/sys/net
  mount --bind "$FOLDER/boot_id" proc/sys/kernel/random/boot_id
  if [ -e proc/sysrq-trigger ]; then mount --bind dev/null proc/sysrq-trigger; fi
  pivot_root . mnt
  umount -l /mnt
  echo "$pid" >&3
  exec env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
    setpriv --bounding-set=-mknod,-sys_module,-sys_rawio,-sys_time busybox init 3>&-
}

if [ "${1:-}" = enter ]; then enter; fi

while :; do
  plug_in
  cat /proc/sys/kernel/random/uuid >"$FOLDER/boot_id"
  rc=0
  nsenter --net="/run/netns/$HOST" unshare --mount --pid --uts --ipc --fork --kill-child sh "$0" enter \
    3>"$FOLDER/pid" || rc=$?
  # The kernel says by this signal that the host wants to boot again, not to be off.
  [ "$rc" = 129 ] || exit "$rc"
done
