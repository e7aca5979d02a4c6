#!/bin/bash
# radosgw.sh DIR PORT KEY SECRET starts a Ceph of one node without systemd, from Debian's packages, and its S3
# gateway on 127.0.0.1:PORT. All state is in DIR, objects are in memory; PORT+1 to PORT+19 are Ceph's own.
# It stays in the foreground and ends with its process group. The file DIR/ready says that it serves.
set -e
W=$1 P=$2 KEY=$3 SECRET=$4
mkdir -p "$W"/{mon/a,osd/0,rgw,run,log}
cd "$W"
cat > ceph.conf <<C
[global]
fsid = $(cat /proc/sys/kernel/random/uuid)
mon host = [v2:127.0.0.1:$((P + 1)),v1:127.0.0.1:$((P + 2))]
mon initial members = a
public addr = 127.0.0.1
cluster addr = 127.0.0.1
ms bind port min = $((P + 3))
ms bind port max = $((P + 19))
osd pool default size = 1
osd pool default min size = 1
osd pool default pg num = 4
osd pool default pgp num = 4
osd crush chooseleaf type = 0
osd objectstore = memstore
memstore device bytes = 8589934592
memstore page size = 65536
mon allow pool size one = true
mon warn on pool no redundancy = false
# A disk of a developer is often nearly full; nothing is stored on it.
mon data avail warn = 2
mon data avail crit = 1
run dir = $W/run
log file = $W/log/\$name.log
admin socket = $W/run/\$name.asok
pid file = $W/run/\$name.pid
keyring = $W/keyring
[mon.a]
mon data = $W/mon/a
[osd.0]
osd data = $W/osd/0
keyring = $W/osd/0/keyring
[client.rgw.a]
# What is deleted gives its memory back at once, not after two hours.
rgw gc obj min wait = 2
rgw gc processor period = 2
rgw gc processor max time = 30
rgw gc max concurrent io = 64
rgw frontends = beast endpoint=127.0.0.1:$P
rgw data = $W/rgw
keyring = $W/rgw/keyring
C
export CEPH_CONF=$W/ceph.conf
ceph-authtool --create-keyring keyring --gen-key -n mon. --cap mon 'allow *'
ceph-authtool keyring --gen-key -n client.admin --cap mon 'allow *' --cap osd 'allow *' --cap mgr 'allow *'
fsid=$(sed -n 's/^fsid = //p' ceph.conf)
monmaptool --create --fsid "$fsid" --addv a "[v2:127.0.0.1:$((P + 1)),v1:127.0.0.1:$((P + 2))]" monmap
ceph-mon --mkfs -i a --monmap monmap --keyring keyring
ceph-mon -f -i a &
osd=$(cat /proc/sys/kernel/random/uuid)
ceph osd new "$osd"
ceph auth get-or-create osd.0 mon 'allow profile osd' mgr 'allow profile osd' osd 'allow *' -o osd/0/keyring
ceph-osd -i 0 --mkfs --osd-uuid "$osd"
ceph-osd -f -i 0 &
ceph auth get-or-create client.rgw.a mon 'allow rwx' osd 'allow rwx' -o rgw/keyring
radosgw -n client.rgw.a -f &
until (exec 3<>"/dev/tcp/127.0.0.1/$P") 2>/dev/null; do sleep 0.1; done
radosgw-admin user create --uid=t --display-name=t --access-key="$KEY" --secret="$SECRET"
touch ready
wait
