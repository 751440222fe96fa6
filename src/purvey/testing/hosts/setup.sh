# What makes a server of a new tree; runs in it, once.

set -eu

useradd --create-home --shell /bin/bash --uid 1000 --groups sudo admin
useradd --create-home --shell /bin/bash --uid 1001 deploy
echo 'admin:admin-password' | chpasswd
usermod --password '*' deploy
echo 'deploy ALL=(ALL:ALL) NOPASSWD: ALL' >/etc/sudoers.d/deploy
chmod 440 /etc/sudoers.d/deploy

# Each host has a key of its own.
rm -f /etc/ssh/ssh_host_*
echo 'HostKey /etc/ssh/ssh_host_ed25519_key' >/etc/ssh/sshd_config.d/lab.conf

# A boot is this, and orphans have somebody to reap them.
cat >/etc/inittab <<'TABLE'
::respawn:/usr/sbin/sshd -D -e
::respawn:/usr/sbin/cron -f
TABLE
for name in halt poweroff reboot; do ln -s /usr/bin/busybox "/usr/sbin/$name"; done

# Hosts reach nothing but each other and the lab, and say so at once.
rm -f /etc/apt/sources.list /etc/apt/sources.list.d/* /etc/apt/apt.conf.d/99mmdebstrap
rm -rf /var/lib/apt/lists/* /var/cache/apt/*.bin
: >/etc/resolv.conf
