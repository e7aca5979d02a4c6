package servers

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"
)

// Certificates are the files of a certificate authority made for one run, and of
// a certificate for localhost, 127.0.0.1 and ::1, and for other names perhaps, that it signed.
type Certificates struct{ CA, Cert, Key string }

// MakeCertificates writes new certificates into dir.
func MakeCertificates(dir string, names ...string) (Certificates, error) {
	files := Certificates{filepath.Join(dir, "ca.pem"), filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")}
	caKey, err1 := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	key, err2 := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err := errors.Join(err1, err2); err != nil {
		return files, err
	}
	now := time.Now()
	ca := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "ftp-gateway test authority"},
		NotBefore: now.Add(-time.Hour), NotAfter: now.Add(240 * time.Hour), IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign}
	leaf := &x509.Certificate{SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "localhost"},
		NotBefore: ca.NotBefore, NotAfter: ca.NotAfter, DNSNames: append([]string{"localhost"}, names...), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback},
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}}
	caDER, err1 := x509.CreateCertificate(rand.Reader, ca, ca, caKey.Public(), caKey)
	leafDER, err2 := x509.CreateCertificate(rand.Reader, leaf, ca, key.Public(), caKey)
	keyDER, err3 := x509.MarshalPKCS8PrivateKey(key)
	if err := errors.Join(err1, err2, err3); err != nil {
		return files, err
	}
	return files, errors.Join(
		writePEM(files.CA, "CERTIFICATE", caDER),
		writePEM(files.Cert, "CERTIFICATE", leafDER),
		writePEM(files.Key, "PRIVATE KEY", keyDER))
}

func writePEM(path, kind string, der []byte) error {
	return os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600)
}

// MakeRSACertificate writes a certificate with an RSA key for localhost into dir, signed by itself: what TLS
// without elliptic curves needs.
func MakeRSACertificate(dir string) (Certificates, error) {
	files := Certificates{filepath.Join(dir, "rsa.pem"), filepath.Join(dir, "rsa.pem"), filepath.Join(dir, "rsa-key.pem")}
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return files, err
	}
	now := time.Now()
	cert := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "localhost"}, DNSNames: []string{"localhost"},
		NotBefore: now.Add(-time.Hour), NotAfter: now.Add(240 * time.Hour), IsCA: true, BasicConstraintsValid: true}
	der, err1 := x509.CreateCertificate(rand.Reader, cert, cert, key.Public(), key)
	keyDER, err2 := x509.MarshalPKCS8PrivateKey(key)
	if err := errors.Join(err1, err2); err != nil {
		return files, err
	}
	return files, errors.Join(writePEM(files.Cert, "CERTIFICATE", der), writePEM(files.Key, "PRIVATE KEY", keyDER))
}

// ClientCertificates are the files of an authority for client certificates and of those that it signed.
type ClientCertificates struct {
	CA  string
	dir string
}

// Cert returns the file of the certificate with that common name.
func (c ClientCertificates) Cert(name string) string { return filepath.Join(c.dir, name+".pem") }

// Key returns the file of its key.
func (c ClientCertificates) Key(name string) string { return filepath.Join(c.dir, name+".key") }

// MakeClientCertificates makes dir and writes an authority and client certificates of those names into it.
func MakeClientCertificates(dir string, names ...string) (ClientCertificates, error) {
	c := ClientCertificates{filepath.Join(dir, "ca.pem"), dir}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return c, err
	}
	caKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return c, err
	}
	now := time.Now()
	ca := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "client authority of " + dir},
		NotBefore: now.Add(-time.Hour), NotAfter: now.Add(240 * time.Hour), IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}
	caDER, err := x509.CreateCertificate(rand.Reader, ca, ca, caKey.Public(), caKey)
	if err != nil {
		return c, err
	}
	errs := []error{writePEM(c.CA, "CERTIFICATE", caDER)}
	for i, name := range names {
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			return c, err
		}
		leaf := &x509.Certificate{SerialNumber: big.NewInt(int64(i + 2)), Subject: pkix.Name{CommonName: name}, NotBefore: ca.NotBefore, NotAfter: ca.NotAfter,
			KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}
		der, err1 := x509.CreateCertificate(rand.Reader, leaf, ca, key.Public(), caKey)
		keyDER, err2 := x509.MarshalPKCS8PrivateKey(key)
		errs = append(errs, err1, err2, writePEM(c.Cert(name), "CERTIFICATE", der), writePEM(c.Key(name), "PRIVATE KEY", keyDER))
	}
	return c, errors.Join(errs...)
}
