// Package integration holds the tests that look at the product from outside: the
// binary as it is shipped, real FTP clients before it, real object stores behind it.
//
// What a test needs and this package provides:
//
//   - servers: versitygw (S3), fake-gcs-server (GCS) and the gateway as processes
//   - clients: curl, lftp, ncftp, tnftp, wget, FileZilla, Python's ftplib, Perl's Net::FTP,
//     and a client of our own that can misbehave
//   - fault: a proxy between the gateway and the store
//   - assertions: short raw conversations, one for each sentence of the RFCs, and what plays them
//   - store: the bucket as the vendor's SDK sees it
//   - listing: a bucket with as many objects as one likes, for listings only
//
// The package is a module of its own so that the test servers do not weigh on the
// product's dependencies. "make test" builds the programs and runs it; a client
// or a server that is missing fails the run.
package integration
