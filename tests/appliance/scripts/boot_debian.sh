#!/bin/sh
# Boots the systemd of a Debian root folder in namespaces of its own: no process, mount, name or network of the host is
# touched. Usage, as root: boot_debian.sh ROOT CGROUP, with CGROUP a folder of a cgroup2 file system made for it.
set -eu
echo $$ >"$2/cgroup.procs"
# shellcheck disable=SC2016 # the inner shell expands it
exec unshare --pid --mount --net --uts --ipc --cgroup --fork --kill-child sh -euc '
root=$1
mount --make-rprivate /
mount --bind "$root" "$root"
ip link set lo up
mount -t proc proc "$root/proc"
mount -t sysfs -o ro sysfs "$root/sys"
mount -t cgroup2 cgroup2 "$root/sys/fs/cgroup"
mount -t tmpfs -o mode=755 tmpfs "$root/dev"
for device in null zero full random urandom tty; do
    touch "$root/dev/$device"
    mount --bind "/dev/$device" "$root/dev/$device"
done
mkdir "$root/dev/pts" "$root/dev/shm"
mount -t devpts -o newinstance,ptmxmode=0666 devpts "$root/dev/pts"
ln -s pts/ptmx "$root/dev/ptmx"
mount -t tmpfs -o mode=1777 tmpfs "$root/dev/shm"
mount -t tmpfs -o mode=755 tmpfs "$root/run"
mount -t tmpfs -o mode=1777 tmpfs "$root/tmp"
cd "$root"
mkdir -p oldroot
pivot_root . oldroot
exec chroot . sh -c "umount -l /oldroot; rmdir /oldroot
    exec env -i container=test PATH=/usr/sbin:/usr/bin:/sbin:/bin /lib/systemd/systemd --unit=multi-user.target"
' boot "$1"
