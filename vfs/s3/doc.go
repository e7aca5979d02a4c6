// Package s3 keeps a tree's files as objects of an S3 bucket: it is the
// [object.Store] of package object on the AWS SDK, for Amazon S3 and for the many servers that
// speak its protocol.
//
// The package adds requests to what package object decides, and makes them
// hold on a bad day:
//
//   - Bytes are protected from the socket to the bucket. The CRC32 that was computed
//     while they arrived goes along as a header of each request, and the one of
//     the whole object with the completion of a multipart upload; the server refuses what does not match. The
//     SDK itself adds no checksum, as many servers do not understand its trailers.
//   - Requests are tried eight times, with pauses up to five seconds. The quota
//     that the SDK shares between all requests of a client is off: it makes all uploads fail
//     when the store asks to slow down, and the bytes exist only here.
//   - Nothing waits for ever: a server that neither takes nor gives bytes for
//     a while loses the connection.
//   - An upload that was given up is aborted until no part is left; what a
//     crash leaves is found by [Store.AbortStale].
//
// Servers differ: see [Options.Profile].
package s3
