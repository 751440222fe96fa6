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
systemctl mask apt-daily.timer apt-daily-upgrade.timer e2scrub_all.timer fstrim.timer e2scrub_reap.service

# systemd runs every generator at each reload. Those that find nothing on this machine are a third of what that takes where no
# processor helps.
mkdir -p /etc/systemd/system-generators
for it in cryptsetup debug getty gpt-auto hibernate-resume integritysetup rc-local run system-update veritysetup; do
  ln -s /dev/null "/etc/systemd/system-generators/systemd-$it-generator"
done
