// Package config is the configuration document: Go structs with one comment per
// field, which is the documentation of the key; a strict reader of YAML that reports every
// mistake with its line; and the checks that need more than one key.
//
// Reading never stops at the first mistake:
//
//	cfg, report := config.Load("ftp-gateway.yaml")
//	if report.Failed() {
//		fmt.Fprint(os.Stderr, report) // file:line: path: what is wrong (hint: …)
//	}
//
// In every value, ${NAME} stands for the environment variable NAME, which must
// exist; "$${" is a plain "${". A "$" without a brace means itself, so the
// hashes of passwords ("$argon2id$…") need no care. Values of variables are not
// expanded again and never become YAML. Keys that end in _file read the value from
// a file, without the line break at its end. File names are relative to the
// directory of the configuration file.
//
// The package imports no other of this module: what a back end or a password
// hash looks like inside is checked by whoever wires the parts together.
package config

import (
	"net/netip"
	"time"
)

// Config is the whole document.
type Config struct {
	// Where clients connect. Several listeners share everything else.
	Listeners []Listener `yaml:"listeners"`
	// Certificates, and what is asked of TLS connections.
	TLS TLS `yaml:"tls"`
	// Passive data connections (PASV, EPSV): the ports and the address that clients are told.
	Passive Passive `yaml:"passive"`
	// How many, how long, how often.
	Limits Limits `yaml:"limits"`
	// What happens to who guesses passwords.
	Guard Guard `yaml:"guard"`
	// Memory that uploads into buckets may use.
	Memory Memory `yaml:"memory"`
	// Which signs of a broken upload count. A cut upload is never published in a bucket.
	Cut Cut `yaml:"cut"`
	// What HASH, XCRC and their kin may cost.
	Hash Hash `yaml:"hash"`
	// When TYPE A converts line ends: explicit (only if the client asked for TYPE A), always (also while
	// it is only the protocol's default), never.
	ASCII string `yaml:"ascii" enum:"explicit,always,never"`
	// The encoding of file names on the wire, by its IANA or WHATWG name: utf-8, iso-8859-1, windows-1252,
	// shift_jis, gbk ...
	Encoding string `yaml:"encoding"`
	// How listings call the owners of files on disks: names (as the system has them), ids (their numbers), hidden. Names tell
	// whoever may list which accounts the machine has.
	Owners string `yaml:"owners" enum:"names,ids,hidden"`
	// Tell times in the server's own zone instead of UTC: in LIST and MDTM, the log, and the directories of homes. The facts of MLST and
	// MLSD and what MFMT sets are in UTC all the same, as clients that know these commands expect.
	LocalTime bool `yaml:"local_time"`
	// Let the kernel move files of local disks (sendfile). Only switch it off for file systems on which it fails.
	Sendfile bool `yaml:"sendfile"`
	// Offer MODE Z: transfers and listings compressed with deflate. A download takes 0.9 MiB more memory then, 64 of
	// them at a time; more are sent uncompressed in the same format.
	ModeZ bool `yaml:"mode_z"`
	// The text of the greeting. Several lines are possible.
	Banner string `yaml:"banner"`
	// How long running transfers may go on after SIGTERM before they are called off like a cut.
	ShutdownGrace time.Duration `yaml:"shutdown_grace"`
	// Where files are kept, by a name of your choice.
	Backends map[string]Backend `yaml:"backends"`
	// How the server bears with the habits of devices, by a name of your choice; listeners, users and anonymous name
	// them. Built in: camera, logger, mfp, mainframe, plc, strict; one of these names here changes the built-in one.
	Profiles map[string]Profile `yaml:"profiles"`
	// Who may log in. Read again after a change of this file, and at SIGHUP, for logins from then on.
	Users []User `yaml:"users"`
	// Files with more of them: a list with the same keys. Read again in the same way.
	UsersFile []Path `yaml:"users_file"`
	// Users of files that Apache's htpasswd makes. Read again in the same way.
	Htpasswd []Htpasswd `yaml:"htpasswd"`
	// Logins as "anonymous" or "ftp" with any password. Without this key there are none.
	Anonymous *Anonymous `yaml:"anonymous"`
	// The accounts of this machine may log in as well (Linux). Without this key they may not.
	UnixUsers *UnixUsers `yaml:"unix_users"`
	// The accounts of this machine and its domain may log in as well (Windows). Without this key they may not.
	WindowsUsers *WindowsUsers `yaml:"windows_users"`
	// A service of your own is asked for users by HTTP.
	HTTPUsers *HTTPUsers `yaml:"http_users"`
	// A directory is asked for users by LDAP.
	LDAPUsers *LDAPUsers `yaml:"ldap_users"`
	// Who is asked for a user, in this order, until one knows it: file (users, users_file and htpasswd), unix, windows, http, ldap.
	// Who is configured has to be here.
	Auth []string `yaml:"auth" enum:"file,unix,windows,http,ldap"`
	// Virtual hosts: what is different for clients that name one of these in HOST or in the TLS handshake.
	Hosts []Host `yaml:"hosts"`
	// The log.
	Log Log `yaml:"log"`
	// Telling other programs what happens: webhooks, commands, a file.
	Events Events `yaml:"events"`
	// Prometheus metrics and probes over HTTP.
	Metrics Metrics `yaml:"metrics"`
	// Looking into the running program: ftp-gateway top, sessions, kick, debug, unban.
	Admin Admin `yaml:"admin"`

	// KeyName, if set, gives the name that problems tell instead of a key's path, for
	// configurations that were not read from a document.
	KeyName func(path string) string `yaml:"-" json:"-"`

	file  string
	lines map[string]int
	read  bool // the document could be read, mistakes or not
}

// Listener is an address that clients connect to.
type Listener struct {
	// Host and port. Without a host, all addresses of the machine, IPv4 and IPv6.
	Address string `yaml:"address" need:"yes"`
	// TLS on this listener.
	TLS ListenerTLS `yaml:"tls"`
	// The profile of its sessions until a user with another one logs in. Default: none.
	Profile string `yaml:"profile"`
	// The encoding of file names here. Default: the profile's, else that of the key encoding.
	Encoding string `yaml:"encoding"`
}

// ListenerTLS says how sessions of a listener come to TLS.
type ListenerTLS struct {
	// none, explicit (AUTH TLS), implicit (TLS from the first byte, usually port 990). Default: explicit
	// where tls.certificates has one, else none.
	Mode string `yaml:"mode" enum:"none,explicit,implicit"`
	// What must be encrypted: control refuses USER in clear text, data refuses transfers in clear text.
	Require []string `yaml:"require" enum:"control,data"`
	// The oldest version on this listener. Default: tls.min. Old devices get a listener of their own.
	Min string `yaml:"min" enum:"1.0,1.1,1.2,1.3"`
	// The ciphers of TLS 1.2 and older on this listener. Default: tls.ciphers.
	Ciphers []string `yaml:"ciphers"`
	// Whether this listener asks for client certificates. Default: tls.client_auth.
	ClientAuth string `yaml:"client_auth" enum:"none,request,require"`
	// Whom this listener trusts for client certificates. Default: tls.client_ca.
	ClientCA Path `yaml:"client_ca"`
}

// TLS holds certificates and what is asked of TLS connections.
type TLS struct {
	// The server's certificates; the one that fits the name the client asks for is used, else the first.
	// SIGHUP reads them again.
	Certificates []Certificate `yaml:"certificates"`
	// The oldest version that is accepted: "1.0" to "1.3". Below 1.2 only for old devices.
	Min string `yaml:"min" enum:"1.0,1.1,1.2,1.3"`
	// The ciphers of TLS 1.2 and older, by their IANA names such as TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256; those of
	// TLS 1.3 cannot be chosen. Default: what is thought safe today; with min below 1.2 also the RSA key exchange.
	Ciphers []string `yaml:"ciphers"`
	// Client certificates: none does not ask, request verifies one that is shown, require refuses clients without, those without
	// TLS among them. What they mean for a login is users[].certificate.
	ClientAuth string `yaml:"client_auth" enum:"none,request,require"`
	// PEM file with the authorities to trust for client certificates. SIGHUP reads it again.
	ClientCA Path `yaml:"client_ca"`
	// Let clients go back to clear text on the control connection after the login (CCC), for firewalls that must read it.
	// Names of files and all commands can then be read and changed by anybody on the way.
	CCC bool `yaml:"ccc"`
	// Whether a data connection has to resume the TLS session of its control connection: off, prefer
	// (accepted without as well), require.
	SessionReuse string `yaml:"session_reuse" enum:"off,prefer,require"`
}

// Certificate is a certificate chain with its key.
type Certificate struct {
	// PEM file with the certificate and the ones between it and the root.
	Cert Path `yaml:"cert" need:"yes"`
	// PEM file with the private key. Default: the key is in the file of the certificate.
	Key Path `yaml:"key"`
}

// Passive is about PASV and EPSV.
type Passive struct {
	// The range of ports, such as 30000-30099. Default: any free port, which no firewall can know.
	Ports Ports `yaml:"ports"`
	// The IPv4 address that PASV tells clients, where a NAT or load balancer stands in front: an
	// address, a host name (looked up again every minute), or a map from the server's own address to one of these. Default:
	// the address that the client has connected to.
	Address PassiveAddress `yaml:"address"`
	// address: sessions share the ports, a connection belongs to the session of the same client address.
	// exclusive: a port for each session that sent PASV, for many clients behind one NAT; needs a wide range.
	Match string `yaml:"match" enum:"address,exclusive"`
	// Let data connections go to and come from other addresses than the client's (FXP). It makes the
	// server usable for attacks on others.
	PermitForeignAddresses bool `yaml:"permit_foreign_addresses"`
	// Let clients name ports below 1024 in PORT and EPRT.
	PermitPrivilegedPorts bool `yaml:"permit_privileged_ports"`
}

// Limits are about numbers and times.
type Limits struct {
	// Sessions at a time; 0 means no limit. Where it is reached, those that have not logged in make room for newcomers.
	// Each that transfers needs three open files: where the system allows fewer, the start warns.
	Connections int `yaml:"connections"`
	// Sessions at a time from one client address (IPv6: one /64); 0 means no limit.
	PerIP int `yaml:"per_ip"`
	// Sessions at a time of one user, anonymous ones left out; 0 means no limit.
	PerUser int `yaml:"per_user"`
	// Ends a session that has not logged in so long after it began, whatever it sends.
	Login time.Duration `yaml:"login"`
	// Ends a session that sends no command and moves no data.
	Idle time.Duration `yaml:"idle"`
	// Ends a transfer in which no byte moves.
	Stall time.Duration `yaml:"stall"`
	// How long a data connection may take to come up, TLS included.
	Connect time.Duration `yaml:"connect"`
	// How long a back end may take for a command that is no transfer.
	Command time.Duration `yaml:"command"`
	// How long a back end may take for the end of an upload.
	Commit time.Duration `yaml:"commit"`
	// How long a back end may take for a rename: a bucket has to copy what is renamed.
	Rename time.Duration `yaml:"rename"`
	// Wrong passwords that end a session.
	LoginAttempts int `yaml:"login_attempts"`
	// How long the answer to a first wrong password waits; it doubles with each further one (guard.max_delay). 0 means
	// not at all, and that logins under a name that is guessed at (guard.user_failures) do not wait either.
	LoginDelay time.Duration `yaml:"login_delay"`
	// How many bytes one byte of an upload in MODE Z may become, once it has become 16 MiB; 0 means no
	// limit. Text shrinks to a tenth, what deflate can do at most is about 1030.
	Expansion int `yaml:"expansion"`
	// Upload bandwidth of one data connection, in bytes per second such as 30KiB/s; 0 means no limit. With any limit of
	// bandwidth the bytes go through the program instead of the kernel alone (sendfile, splice).
	Upload Rate `yaml:"upload"`
	// The same for downloads and listings.
	Download Rate `yaml:"download"`
	// Upload bandwidth of all data connections together, shared evenly among them; 0 means no limit.
	TotalUpload Rate `yaml:"total_upload"`
	// The same for downloads and listings.
	TotalDownload Rate `yaml:"total_download"`
	// The largest file that may be stored; 0 means no limit. An upload that grows beyond it ends with 552, and what
	// arrived of it is discarded.
	FileSize Size `yaml:"file_size"`
	// What has to stay free on the volume of a local back end: uploads are refused, and running ones ended, with 452
	// before less is left. 0 means none of it.
	FreeSpace Size `yaml:"free_space"`
}

// Guard is about who guesses passwords.
type Guard struct {
	// Different wrong passwords from one address (IPv6: one /64) within the window that ban it; 0 means never. Where
	// all clients come from one address, behind a load balancer without PROXY protocol, put it into allow.
	Failures int `yaml:"failures"`
	// Different wrong passwords for one user within the window, from all addresses together, after which its logins wait for
	// max_delay, save from where it has logged in before. Nobody is locked out by that. 0 means never.
	UserFailures int `yaml:"user_failures"`
	// How long a wrong password counts.
	Window time.Duration `yaml:"window"`
	// How long a ban lasts. No connection is taken from a banned address.
	Ban time.Duration `yaml:"ban"`
	// The longest that the answer to a wrong password waits.
	MaxDelay time.Duration `yaml:"max_delay"`
	// Networks that are never banned, such as 10.0.0.0/8 or 192.0.2.7.
	Allow []string `yaml:"allow"`
}

// Memory is about the memory of uploads.
type Memory struct {
	// All parts of all uploads into buckets together; uploads wait when it is used up, none fails. At least
	// one part (max_part_size). Up to half of it, while no upload needs it, holds what is fetched ahead for fast
	// downloads. Default: 40 % of GOMEMLIMIT where that is set, else 256MiB.
	UploadBudget Size `yaml:"upload_budget"`
}

// Cut says which signs of a broken upload count.
type Cut struct {
	// The end of a TLS upload without close_notify: require takes it for a cut, accept for the end of the file.
	CloseNotify string `yaml:"close_notify" enum:"require,accept"`
	// A control connection that ends without QUIT while the file arrives, as a killed client leaves it: cut, or
	// accept for devices that hang up at once after the last byte.
	ControlLost string `yaml:"control_lost" enum:"cut,accept"`
	// How long the end of a killed client's control connection may come behind the end of its data. Uploads
	// wait for it before they are published; 0 looks once only.
	Settle time.Duration `yaml:"settle"`
	// How long data is still read after the control connection was lost in the middle of it.
	Grace time.Duration `yaml:"grace"`
}

// Hash is about the commands that tell the digest of a file: HASH, XCRC, XMD5, XSHA256 and so on.
type Hash struct {
	// The most bytes that one of them reads, where the back end does not know the digest without
	// reading; 0 means no limit. A larger file is refused.
	MaxRead Size `yaml:"max_read"`
	// How many of them read at a time, all sessions together; the others wait.
	Concurrent int `yaml:"concurrent"`
}

// Backend is one place for files. Exactly one of the pointers is set.
type Backend struct {
	Local *Local
	S3    *S3
	GCS   *GCS
	Unix  *Unix
}

// Type returns the type of the back end as the document writes it.
func (b Backend) Type() string {
	switch {
	case b.Local != nil:
		return "local"
	case b.S3 != nil:
		return "s3"
	case b.GCS != nil:
		return "gcs"
	case b.Unix != nil:
		return "unix"
	}
	return ""
}

// Local is a directory of this machine.
type Local struct {
	// The directory. No symbolic link leads out of it, or out of a home in it.
	Path Path `yaml:"path" need:"yes"`
	// Write into a temporary file and rename it when the upload is complete. Without it files are written in
	// place, as classic FTP servers do.
	Atomic bool `yaml:"atomic"`
	// Answer 226 only after the disk has the file and its directory entry (fsync).
	Sync bool `yaml:"sync"`
	// What happens to the part of a cut upload that has arrived: keep, so that the client can resume, or discard. With atomic
	// nothing is kept.
	Cut string `yaml:"cut" enum:"keep,discard"`
	// Make a user's home at the first login where it is missing. Without it such a login is refused.
	CreateHome bool `yaml:"create_home"`
}

// S3 is a bucket behind the S3 protocol.
type S3 struct {
	// The bucket. It must exist. The ARN of an access point works too.
	Bucket string `yaml:"bucket" need:"yes"`
	// Keys below this prefix are the tree; nothing else of the bucket is seen. A home can do the same.
	Prefix string `yaml:"prefix"`
	// The region. Default: from AWS_REGION and the like; where access_key is given here, us-east-1, or what the profile's servers want.
	Region string `yaml:"region"`
	// The URL of the service. Default: AWS in that region.
	Endpoint string `yaml:"endpoint"`
	// Put the bucket into the path instead of the host name, as most servers other than AWS want it.
	PathStyle bool `yaml:"path_style"`
	// The kind of server, for its peculiarities; gcs is Google's with HMAC keys. Default: by the host name of the endpoint, else
	// generic, which is sent MD5 checksums: any server knows them, and they take most of the CPU of large uploads. Name yours if
	// you can.
	Profile string `yaml:"profile" enum:"aws,minio,versitygw,ceph,r2,b2,wasabi,gcs,generic"`
	// Access key. Default: the AWS environment variables, shared files, web identity, or the machine's role.
	AccessKey Secret `yaml:"access_key"`
	// File that holds the access key.
	AccessKeyFile Path `yaml:"access_key_file"`
	// Secret key.
	SecretKey Secret `yaml:"secret_key"`
	// File that holds the secret key.
	SecretKeyFile Path `yaml:"secret_key_file"`
	// PEM file with the authorities to trust for the endpoint, in addition to the system's.
	CAFile Path `yaml:"ca_file"`
	// Parts of a large upload grow with the file up to this size: larger files fit, more memory is needed. Default:
	// 64MiB, or upload_budget where that is smaller.
	MaxPartSize Size `yaml:"max_part_size"`
	// Look before each upload whether its name is a directory, or its directory a file, as on a disk. Costs one
	// or two requests more; without it only what the session knows and the store itself refuses.
	StrictNames bool `yaml:"strict_names"`
	// Directories with more objects than this, at all depths, are not renamed (550): each object has to be copied. 0
	// means that no directory is.
	RenameDirMaxKeys int `yaml:"rename_dir_max_keys"`
	// Directories without a marker vanish with their last file: none leaves it so (sessions that have seen the directory go on
	// seeing it), marker writes one, for all to see, when a file is removed or renamed. Costs a request or two.
	KeepDirs string `yaml:"keep_dirs" enum:"none,marker"`
	// How large a file may be that APPE, or REST and STOR, add to, 552 above that; 0 means any size. The old bytes are copied inside
	// the store, which costs time and requests for each call, and no memory and no network here.
	AppendCopyMax Size `yaml:"append_copy_max"`
	// The same for servers that copy no parts (profile gcs): the old bytes are read and sent again by this server. 0 means only
	// what is less than one part.
	AppendThroughMax Size `yaml:"append_through_max"`
	// Give renamed and copied objects the access control list of the old one. Costs two requests; buckets whose owner owns
	// all objects, as new ones do, have no such lists.
	KeepACL bool `yaml:"keep_acl"`
	// Remove what killed servers have left of multipart uploads below the prefix, when it is that old; 0 means
	// never. Longer than any upload into the bucket takes, whoever makes it. What can be resumed, or waits for its rename, has
	// resume_expire instead.
	AbandonAfter time.Duration `yaml:"abandon_after"`
	// What happens to the part of a cut upload that has arrived: discard, or resume: it is kept in the bucket where
	// no one sees it, and a client that asks for the SIZE can go on there, also after this server was killed. Costs one
	// request more per upload, SIZE and listing, and two for files of more than one part. Users and profiles can say otherwise.
	Cut string `yaml:"cut" enum:"discard,resume"`
	// How long what could be resumed, or waits for its rename (publish_on_rename), is kept, and what killed servers have left in ".ftpgw/"
	// below the prefix. Longer than any upload takes, and shorter than a rule of the bucket that aborts multipart uploads.
	ResumeExpire time.Duration `yaml:"resume_expire"`
	S3Objects
}

// GCS is a bucket of Google Cloud Storage.
type GCS struct {
	// The bucket. It must exist.
	Bucket string `yaml:"bucket" need:"yes"`
	// Names below this prefix are the tree; nothing else of the bucket is seen. A home can do the same.
	Prefix string `yaml:"prefix"`
	// The URL of the service. Default: Google's.
	Endpoint string `yaml:"endpoint"`
	// JSON file of a service account or a workload identity. Default: the application default credentials.
	CredentialsFile Path `yaml:"credentials_file"`
	// Look before each upload whether its name is a directory, or its directory a file, as on a disk. Costs one
	// or two requests more; without it only what the session knows and the store itself refuses.
	StrictNames bool `yaml:"strict_names"`
	// Directories with more objects than this, at all depths, are not renamed (550): each object has to be copied. 0
	// means that no directory is.
	RenameDirMaxKeys int `yaml:"rename_dir_max_keys"`
	// Directories without a marker vanish with their last file: none leaves it so (sessions that have seen the directory go on
	// seeing it), marker writes one, for all to see, when a file is removed or renamed. Costs a request or two.
	KeepDirs string `yaml:"keep_dirs" enum:"none,marker"`
	// How a file is renamed: auto moves it in one step where the service can (objects.move), off copies it inside the
	// service and deletes the old one.
	Move string `yaml:"move" enum:"auto,off"`
	// How many bytes REST and STOR may keep of a larger file, 552 above that: they are read and sent again by this server, as Google
	// joins whole objects only. 0 means none. Files of any size can be added to at their end, inside the store.
	AppendThroughMax Size `yaml:"append_through_max"`
	// Send no credentials, for public buckets and test servers.
	Anonymous bool `yaml:"anonymous"`
	// What happens to the part of a cut upload that has arrived: discard, or resume: it is kept in the bucket where
	// no one sees it, and a client that asks for the SIZE can go on there, also after this server was killed. Costs one
	// request more per upload, SIZE and listing, and two for files of more than one part. Users and profiles can say otherwise.
	Cut string `yaml:"cut" enum:"discard,resume"`
	// How long what could be resumed is kept, and what killed servers have left in ".ftpgw/" below the prefix. Longer than
	// any upload takes, and shorter than a rule of the bucket that aborts multipart uploads.
	ResumeExpire time.Duration `yaml:"resume_expire"`
	GCSObjects
}

// Profile says how sessions bear with the habits of a device. What it leaves out is as in its base, and
// without one as without a profile.
type Profile struct {
	// The profile to begin with, built in or not.
	Base string `yaml:"base"`
	// When TYPE A converts line ends: explicit, always, never.
	ASCII string `yaml:"ascii" enum:"explicit,always,never"`
	// The encoding of file names on the wire.
	Encoding string `yaml:"encoding"`
	// MKD of a directory that exists already answers 257 instead of 550.
	ExistingDir *bool `yaml:"existing_dir"`
	// CWD, MKD, STOR, STOU, APPE and RNTO make missing directories, where the user may make directories.
	MakeParents *bool `yaml:"make_parents"`
	// Where PORT or EPRT names a private address that is not the client's, the client's own is taken.
	PeerAddress *bool `yaml:"peer_address"`
	// EPSV and EPRT are refused with 502 and left out of FEAT.
	NoExtended *bool `yaml:"no_extended"`
	// STRU R is accepted; files go as they are.
	Records *bool `yaml:"records"`
	// Unknown SITE commands are answered with 200.
	AnySITE *bool `yaml:"any_site"`
	// A binary STOR or STOU that ends short of the size that ALLO announced is a cut.
	StrictALLO *bool `yaml:"strict_allo"`
	// What the RFCs do not allow is refused, even where it could be understood.
	Strict *bool `yaml:"strict"`
	// As cut.close_notify.
	CloseNotify string `yaml:"close_notify" enum:"require,accept"`
	// As cut.control_lost.
	ControlLost string `yaml:"control_lost" enum:"cut,accept"`
	// As the key of users. Back ends that cannot do it do what they are set to.
	Cut string `yaml:"cut" enum:"discard,keep,resume"`
	// As the key of users. Not for users with overwrite: rename.
	PublishOnRename []string `yaml:"publish_on_rename"`
	// The oldest TLS version on listeners that have this profile and no tls.min of their own.
	TLSMin string `yaml:"tls_min" enum:"1.0,1.1,1.2,1.3"`
}

// User is somebody who may log in.
type User struct {
	// The name, and what {user} stands for in home and mounts.
	Name string `yaml:"name" need:"yes"`
	// A hash as "ftp-gateway hash-password" prints it; bcrypt, scrypt, yescrypt, pbkdf2 and the usual ones of
	// /etc/shadow work too. Plain text behind "plain:" works, with a warning.
	Password Secret `yaml:"password" need:"one"`
	// File that holds the same.
	PasswordFile Path `yaml:"password_file" need:"one"`
	// The client certificate that a login needs beside the password, or instead of it where there is no password: a common or
	// alternative name, or sha256: and a fingerprint. A listener with client_auth has to ask for it.
	Certificate string `yaml:"certificate" need:"one"`
	Account
}

// Anonymous is what logins without a password of their own get: as users, but with the permissions elr unless others are given.
type Anonymous struct {
	Account
}

// Host is a virtual host.
type Host struct {
	// Its names: those of DNS, and addresses, as clients say them in HOST. Who only connects to an address has named no host.
	Names []string `yaml:"names" need:"yes"`
	// The text of the greeting. Default: that of the key banner.
	Banner string `yaml:"banner"`
	// Certificates for its names. Default: those of tls.certificates.
	Certificates []Certificate `yaml:"certificates"`
	// The profile of its sessions until a user with another one logs in. Default: that of the listener.
	Profile string `yaml:"profile"`
	// Who of the users may log in here, "anonymous" among them where it is to be. Default: all.
	Users []string `yaml:"users"`
	// Anonymous logins here. Default: the key anonymous.
	Anonymous *Anonymous `yaml:"anonymous"`
}

// Metrics is about the HTTP listener for machines.
type Metrics struct {
	// Host and port for /metrics, /healthz and /readyz. Default: none.
	Address string `yaml:"address"`
}

// Default returns the configuration of an empty document.
func Default() *Config {
	return &Config{
		Listeners: []Listener{{Address: ":2121"}},
		TLS:       TLS{Min: "1.2", ClientAuth: "none", SessionReuse: "prefer"},
		Passive:   Passive{Match: "address"},
		Limits: Limits{
			Connections: 512, Login: 2 * time.Minute, Idle: 5 * time.Minute, Stall: 2 * time.Minute, Connect: 30 * time.Second,
			Command: time.Minute, Commit: 5 * time.Minute, Rename: time.Hour, LoginAttempts: 3, LoginDelay: 3 * time.Second, Expansion: 200,
		},
		Guard:         Guard{Failures: 10, UserFailures: 30, Window: 10 * time.Minute, Ban: 15 * time.Minute, MaxDelay: 30 * time.Second},
		Cut:           Cut{CloseNotify: "require", ControlLost: "cut", Settle: 5 * time.Millisecond, Grace: 10 * time.Second},
		Hash:          Hash{MaxRead: 8 << 30, Concurrent: 4},
		ASCII:         "explicit",
		Encoding:      "utf-8",
		Owners:        "names",
		Sendfile:      true,
		ModeZ:         true,
		Banner:        "ftp-gateway ready.",
		ShutdownGrace: 30 * time.Second,
		Log:           Log{Level: "info", Format: "text", Prefix: DefaultPrefix},
		Events:        Events{OutboxMax: 100_000},
		Auth:          []string{"file", "unix", "windows", "http", "ldap"},
	}
}

// setDefaults gives entries of lists and maps the defaults that Default cannot. It
// is called before their keys are read.
func (s *S3) setDefaults() {
	s.AbandonAfter, s.RenameDirMaxKeys, s.KeepDirs = 24*time.Hour, 1000, "none"
	s.MFMT = "off"
	s.Cut, s.ResumeExpire = "discard", 24*time.Hour
	s.AppendThroughMax = 1 << 30
}
func (g *GCS) setDefaults() {
	g.RenameDirMaxKeys, g.KeepDirs, g.Move = 1000, "none", "auto"
	g.Cut, g.ResumeExpire = "discard", 24*time.Hour
	g.AppendThroughMax = 1 << 30
}
func (l *Local) setDefaults()     { l.Cut, l.CreateHome = "keep", true }
func (a *Anonymous) setDefaults() { a.Permissions, a.Overwrite = "elr", "yes" }

// PassiveAddress is what PASV tells: one host for all, or one for each local address.
type PassiveAddress struct {
	Host    string                // IPv4 address or host name; empty means the session's own local address
	ByLocal map[netip.Addr]string // by the local address of the control connection
}

// IsZero reports whether nothing was said.
func (p PassiveAddress) IsZero() bool { return p.Host == "" && len(p.ByLocal) == 0 }
