# What makes a server with a kernel of its own of a new tree; runs in it, once.

set -eu

# cloud-init makes keys, name and machine id, as on a machine in a cloud.
rm -f /etc/ssh/ssh_host_* /etc/hostname
: >/etc/machine-id
cat >/etc/cloud/cloud.cfg.d/90_image.cfg <<'YAML'
datasource_list: [NoCloud]
locale: C.UTF-8
ssh_genkeytypes: [ed25519]
YAML
echo '/dev/vda / ext4 defaults 0 1' >/etc/fstab

# It reaches nothing but the test, and waits for nothing else.
rm -f /etc/apt/sources.list /etc/apt/sources.list.d/* /etc/apt/apt.conf.d/99mmdebstrap
rm -rf /var/lib/apt/lists/* /var/cache/apt/*.bin
systemctl mask apt-daily.timer apt-daily-upgrade.timer e2scrub_all.timer fstrim.timer
