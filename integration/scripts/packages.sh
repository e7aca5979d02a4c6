#!/bin/sh
# packages.sh looks for the programs that the tests drive, and installs what is missing when it
# runs as root on Debian or one of its children. It fails when something is still missing then.
set -eu

# program or check -> package
missing() {
	for pair in curl:curl lftp:lftp ncftpput:ncftp tnftp:tnftp wget:wget perl:perl python3:python3 \
		filezilla:filezilla Xvfb:xvfb xdotool:xdotool strace:strace useradd:passwd openssl:openssl vsftpd:vsftpd git:git gcc:gcc htpasswd:apache2-utils tmux:tmux slapd:slapd ldapadd:ldap-utils; do
		command -v "${pair%%:*}" >/dev/null 2>&1 || [ -x "/usr/sbin/${pair%%:*}" ] || echo "${pair##*:}"
	done
	# "packages.sh ceph" is for what is tested before Ceph only.
	[ "$1" != ceph ] || for pair in ceph-mon:ceph-mon ceph-osd:ceph-osd radosgw:radosgw ceph:ceph-common; do
		command -v "${pair%%:*}" >/dev/null 2>&1 || echo "${pair##*:}"
	done
	# Net::FTP needs these two for TLS.
	perl -MNet::SSLeay -e1 2>/dev/null || echo libnet-ssleay-perl
	perl -MIO::Socket::SSL -e1 2>/dev/null || echo libio-socket-ssl-perl
	[ -e /etc/ssl/certs/ca-certificates.crt ] || echo ca-certificates
	# The race detector needs a C library to link with.
	[ -e /usr/include/stdio.h ] || echo libc6-dev
	[ -e /usr/include/security/pam_appl.h ] || echo libpam0g-dev
}

need=$(missing "${1:-}" | sort -u | tr '\n' ' ')
[ -n "$need" ] || exit 0
if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null 2>&1; then
	echo "These Debian packages are missing, and nothing is tested without them:" >&2
	echo "  apt-get install $need" >&2
	exit 1
fi
echo "installing: $need"
export DEBIAN_FRONTEND=noninteractive
install() { apt-get install -y --no-install-recommends $need; }
# The lists may be missing or so old that the packages they name are gone.
install || { apt-get update && install; }
need=$(missing "${1:-}" | sort -u | tr '\n' ' ')
if [ -n "$need" ]; then
	echo "still missing after the installation: $need" >&2
	exit 1
fi
