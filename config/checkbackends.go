package config

import (
	"crypto/x509"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strings"
	"time"
)

// BackendNames returns the names of all back ends, sorted.
func (c *Config) BackendNames() []string {
	names := make([]string, 0, len(c.Backends))
	for n := range c.Backends {
		names = append(names, n)
	}
	slices.Sort(names)
	return names
}

var backendName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_-]{0,62}$`)

// renameDirMax bounds what a rename of a directory may hold in memory and hold up.
const renameDirMax = 100_000

func (k *checker) renameDir(at string, n int) {
	if n < 0 || n > renameDirMax {
		k.errorf(at+".rename_dir_max_keys", "", "has to be from 0 to %d: all keys are held in memory, and the client waits", renameDirMax)
	}
}

// resume checks how long parked uploads of a back end stay. Those that are noted in a confined home, which the janitor does
// not look into, end with abandon_after.
func (k *checker) resume(at, name string, expire, abandon time.Duration, confined bool) {
	switch {
	case !k.c.parks(name):
	case expire <= 0:
		k.errorf(at+".resume_expire", "such as 24h", "has to be more than 0: what nobody resumes would stay for ever")
	case confined && abandon > 0 && abandon < expire:
		k.warnf(at+".abandon_after", "at least resume_expire", "is shorter than resume_expire: it ends what could be resumed")
	}
}

func (k *checker) backends() {
	for _, name := range k.c.BackendNames() {
		at, b := "backends."+name, k.c.Backends[name]
		if !backendName.MatchString(name) {
			k.errorf(at, "letters, digits, - and _", "%q is no name for a back end", name)
		}
		switch {
		case b.Local != nil:
			k.directory(at, b.Local.Path)
		case b.S3 != nil:
			k.bucket(at, b.S3.Bucket, b.S3.Endpoint)
			k.renameDir(at, b.S3.RenameDirMaxKeys)
			k.resume(at, name, b.S3.ResumeExpire, b.S3.AbandonAfter, b.S3.Role != nil && b.S3.Role.Confine)
			s := b.S3
			k.keyMode(at+".access_key_file", s.AccessKeyFile)
			k.keyMode(at+".secret_key_file", s.SecretKeyFile)
			if (s.AccessKey == "") != (s.SecretKey == "") {
				k.errorf(at, "give both, or none for the usual AWS sources", "access_key and secret_key belong together")
			}
			if s.MaxPartSize != 0 && (s.MaxPartSize < minPart || s.MaxPartSize > 5<<30) {
				k.errorf(at+".max_part_size", "", "%v is not between 5MiB and 5GiB", s.MaxPartSize)
			}
			if s.AppendCopyMax > 0 && s.Profile == "gcs" {
				k.warnf(at+".append_copy_max", "set append_through_max", "bounds nothing: the server of this profile copies no parts")
			}
			if s.CAFile != "" {
				k.authorities(at+".ca_file", s.CAFile)
			}
			k.s3Objects(at, &s.S3Objects)
			k.directoryBucket(at, s)
		case b.GCS != nil:
			k.bucket(at, b.GCS.Bucket, b.GCS.Endpoint)
			k.renameDir(at, b.GCS.RenameDirMaxKeys)
			k.resume(at, name, b.GCS.ResumeExpire, 0, b.GCS.Confine)
			k.gcsObjects(at, &b.GCS.GCSObjects, b.GCS.Anonymous)
			if f := b.GCS.CredentialsFile; f != "" {
				if b.GCS.Anonymous {
					k.errorf(at+".anonymous", "keep one of them", "contradicts credentials_file")
				}
				if _, err := os.ReadFile(string(f)); err != nil {
					k.errorf(at+".credentials_file", "", "%s: %s", f, pathless(err))
				}
				k.keyMode(at+".credentials_file", f)
			}
		case b.Unix != nil:
			k.directory(at, b.Unix.Path)
		default: // null, or "type" is
			k.errorf(at, "type is one of "+strings.Join(backendTypes, ", "), `the key "type" is missing`)
		}
	}
}

// directory checks the one that a back end on a disk serves.
func (k *checker) directory(at string, dir Path) {
	if dir == "" {
		k.errorf(at, "", `the key "path" is missing`)
		return
	}
	switch fi, err := os.Stat(string(dir)); {
	case err != nil:
		k.errorf(at+".path", "make the directory, or correct the name", "%s: %s", dir, pathless(err))
	case !fi.IsDir():
		k.errorf(at+".path", "", "%s is not a directory", dir)
	}
}

func (k *checker) bucket(at, bucket, endpoint string) {
	if bucket == "" {
		k.errorf(at, "", `the key "bucket" is missing`)
	} else if !strings.HasPrefix(bucket, "arn:") && strings.ContainsAny(bucket, "/ ") {
		k.errorf(at+".bucket", "a prefix has a key of its own", "%q is no name of a bucket", bucket)
	}
	if endpoint != "" {
		k.endpoint(at+".endpoint", endpoint)
	}
}

func (k *checker) endpoint(at, endpoint string) {
	u, err := url.Parse(endpoint)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		k.errorf(at, "for example https://s3.example.com", "%q is not a URL with http or https", endpoint)
	} else if u.User != nil {
		k.errorf(at, "", "credentials do not belong into the URL")
	}
}

// authorities checks a file of certificates.
func (k *checker) authorities(at string, file Path) {
	data, err := os.ReadFile(string(file))
	if err != nil {
		k.errorf(at, "", "%s: %s", file, pathless(err))
	} else if !x509.NewCertPool().AppendCertsFromPEM(data) {
		k.errorf(at, "", "%s holds no PEM certificate", file)
	}
}
