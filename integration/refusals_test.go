package integration

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/ftp-gateway/ftp-gateway/integration/fault"
)

// refusal is an answer of a store, and what clients are told then.
type refusal struct {
	name   string
	status int
	code   string // of S3; for GCS the reason
	text   string // the message, where it decides
	asks   []ask
	quiet  bool // nothing to tell in the log: it is what clients ask all day
	twice  bool // the same bytes are sent once more, and not again and again
}

// ask is something a client wants, the request of the store that is refused, and the reply.
type ask struct {
	what string // see refusalTest.ask
	op   string
	want int
}

var s3Refusals = []refusal{
	{name: "no such key", status: 404, code: "NoSuchKey", quiet: true, asks: []ask{
		{"RETR", "GetObject", 550}, {"RNTO", "CopyObject", 550}}},
	{name: "no such bucket", status: 404, code: "NoSuchBucket", asks: []ask{
		{"STOR", "PutObject", 451}, {"RETR", "GetObject", 450}, {"CWD", "ListObjectsV2", 450}}},
	{name: "permanent redirect", status: 301, code: "PermanentRedirect", asks: []ask{
		{"STOR", "PutObject", 451}, {"RETR", "GetObject", 450}}},
	{name: "wrong region", status: 400, code: "AuthorizationHeaderMalformed", asks: []ask{
		{"STOR", "PutObject", 451}, {"MKD", "ListObjectsV2", 450}}},
	{name: "policy forbids", status: 403, code: "AccessDenied", asks: []ask{
		{"RETR", "GetObject", 550}, {"SIZE", "HeadObject", 550}, {"LIST", "ListObjectsV2", 550}, {"DELE", "DeleteObject", 550},
		{"STOR", "PutObject", 451}, {"STOR large", "CreateMultipartUpload", 451}, {"STOR large", "UploadPart", 451},
		{"STOR large", "CompleteMultipartUpload", 451}, {"MKD", "PutObject", 550}, {"RNTO", "CopyObject", 553}}},
	{name: "locked", status: 403, code: "ObjectLocked", asks: []ask{
		{"DELE", "DeleteObject", 550}, {"RNTO", "CopyObject", 553}, {"STOR", "PutObject", 553}, {"STOR large", "CompleteMultipartUpload", 553}}},
	{name: "archived", status: 403, code: "InvalidObjectState", asks: []ask{{"RETR", "GetObject", 550}, {"RNTO", "CopyObject", 550}}},
	{name: "changed by others", status: 412, code: "PreconditionFailed", asks: []ask{
		{"RNTO", "CopyObject", 450}, {"STOR large", "CompleteMultipartUpload", 450}}},
	{name: "written by others at once", status: 409, code: "ConditionalRequestConflict", asks: []ask{
		{"STOR", "PutObject", 450}, {"RNTO", "CopyObject", 450}}},
	{name: "operation aborted", status: 409, code: "OperationAborted", asks: []ask{{"STOR", "PutObject", 450}}},
	{name: "slow down", status: 503, code: "SlowDown", asks: []ask{
		{"STOR", "PutObject", 451}, {"STOR large", "UploadPart", 451}, {"SIZE", "HeadObject", 450},
		{"DELE", "DeleteObject", 450}, {"RNTO", "CopyObject", 450}, {"CWD", "ListObjectsV2", 450}}},
	{name: "too many requests", status: 429, code: "TooManyRequests", asks: []ask{{"STOR", "PutObject", 451}}},
	{name: "request limit", status: 503, code: "RequestLimitExceeded", asks: []ask{{"STOR", "PutObject", 451}}},
	{name: "internal error", status: 500, code: "InternalError", asks: []ask{
		{"STOR", "PutObject", 451}, {"STOR large", "CompleteMultipartUpload", 451}, {"SIZE", "HeadObject", 450}}},
	{name: "bad gateway", status: 502, code: "BadGateway", asks: []ask{{"STOR", "PutObject", 451}}},
	{name: "gateway timeout", status: 504, code: "GatewayTimeout", asks: []ask{{"STOR", "PutObject", 451}}},
	{name: "bad digest", status: 400, code: "BadDigest", twice: true, asks: []ask{
		{"STOR", "PutObject", 451}, {"STOR large", "UploadPart", 451}, {"STOR large", "CompleteMultipartUpload", 451}}},
	{name: "wrong checksum", status: 400, code: "XAmzContentChecksumMismatch", twice: true, asks: []ask{{"STOR", "PutObject", 451}}},
	{name: "part too small", status: 400, code: "EntityTooSmall", asks: []ask{{"STOR large", "CompleteMultipartUpload", 451}}},
	{name: "too large", status: 400, code: "EntityTooLarge", asks: []ask{
		{"STOR", "PutObject", 552}, {"STOR large", "CompleteMultipartUpload", 552}}},
	{name: "too many parts", status: 400, code: "TooManyParts", asks: []ask{{"STOR large", "UploadPart", 552}}},
	{name: "quota", status: 403, code: "QuotaExceeded", asks: []ask{
		{"STOR", "PutObject", 552}, {"STOR large", "UploadPart", 552}, {"MKD", "PutObject", 552}, {"RNTO", "CopyObject", 552}}},
	{name: "storage full", status: 507, code: "XMinioStorageFull", asks: []ask{
		{"STOR", "PutObject", 452}, {"STOR large", "UploadPart", 452}}},
	{name: "storage full, by its common name", status: 507, code: "InsufficientStorage", asks: []ask{{"STOR", "PutObject", 452}}},
	{name: "quota of MinIO", status: 400, code: "XMinioAdminBucketQuotaExceeded", asks: []ask{{"STOR", "PutObject", 552}}},
	{name: "a directory is there", status: 409, code: "ExistingObjectIsDirectory", asks: []ask{{"STOR", "PutObject", 553}, {"RNTO", "CopyObject", 553}}},
	{name: "a file is above", status: 400, code: "ObjectParentIsFile", asks: []ask{{"STOR", "PutObject", 553}}},
	{name: "clock", status: 403, code: "RequestTimeTooSkewed", asks: []ask{{"STOR", "PutObject", 451}, {"SIZE", "HeadObject", 550}}},
	{name: "malformed token", status: 400, code: "InvalidToken", asks: []ask{{"STOR", "PutObject", 451}, {"RETR", "GetObject", 450}}},
	{name: "token to be refreshed", status: 400, code: "TokenRefreshRequired", asks: []ask{{"STOR", "PutObject", 451}}},
	{name: "key too long", status: 400, code: "KeyTooLongError", asks: []ask{{"STOR", "PutObject", 553}, {"RNTO", "CopyObject", 553}}},
	{name: "bad object name", status: 400, code: "XMinioInvalidObjectName", asks: []ask{{"STOR", "PutObject", 553}}},
	{name: "unknown key id", status: 403, code: "InvalidAccessKeyId", asks: []ask{{"STOR", "PutObject", 451}, {"RETR", "GetObject", 450}}},
	{name: "wrong signature", status: 403, code: "SignatureDoesNotMatch", asks: []ask{{"STOR", "PutObject", 451}}},
	{name: "expired token", status: 400, code: "ExpiredToken", asks: []ask{{"STOR", "PutObject", 451}}},
	{name: "upload has vanished", status: 404, code: "NoSuchUpload", asks: []ask{{"STOR large", "CompleteMultipartUpload", 451}}},
	{name: "nobody knows", status: 418, code: "NeverHeardOf", asks: []ask{
		{"STOR", "PutObject", 451}, {"RETR", "GetObject", 450}, {"DELE", "DeleteObject", 450}}},
}

var gcsRefusals = []refusal{
	{name: "not found", status: 404, code: "notFound", quiet: true, asks: []ask{{"RETR", "objects.media", 550}, {"SIZE", "objects.get", 550}}},
	{name: "no such bucket", status: 404, code: "notFound", text: "The specified bucket does not exist.", asks: []ask{
		{"STOR", "objects.insert", 451}, {"STOR large", "resumable.start", 451}}},
	{name: "policy forbids", status: 403, code: "forbidden", asks: []ask{
		{"RETR", "objects.media", 550}, {"SIZE", "objects.get", 550}, {"LIST", "objects.list", 550}, {"DELE", "objects.delete", 550},
		{"STOR", "objects.insert", 451}, {"STOR large", "resumable.start", 451}, {"STOR large", "resumable.last", 451},
		{"MKD", "objects.insert", 550}}},
	{name: "retention", status: 403, code: "retentionPolicyNotMet", asks: []ask{
		{"DELE", "objects.delete", 550}, {"STOR", "objects.insert", 553}, {"STOR large", "resumable.last", 553}}},
	{name: "hold", status: 403, code: "objectUnderActiveHold", asks: []ask{{"DELE", "objects.delete", 550}, {"STOR", "objects.insert", 553}}},
	{name: "condition", status: 412, code: "conditionNotMet", asks: []ask{{"STOR", "objects.insert", 450}, {"DELE", "objects.delete", 450}}},
	{name: "too many requests", status: 429, code: "rateLimitExceeded", asks: []ask{
		{"STOR", "objects.insert", 451}, {"SIZE", "objects.get", 450}, {"CWD", "objects.list", 450}}},
	{name: "slow down", status: 503, code: "backendError", asks: []ask{
		{"STOR", "objects.insert", 451}, {"STOR large", "resumable.start", 451}, {"RETR", "objects.media", 450}}},
	{name: "internal error", status: 500, code: "internalError", asks: []ask{{"STOR", "objects.insert", 451}}},
	{name: "bad gateway", status: 502, code: "badGateway", asks: []ask{{"STOR", "objects.insert", 451}}},
	{name: "gateway timeout", status: 504, code: "gatewayTimeout", asks: []ask{{"STOR", "objects.insert", 451}}},
	{name: "bad checksum", status: 400, code: "invalid", text: "Provided CRC32C does not match", twice: true, asks: []ask{
		{"STOR", "objects.insert", 451}, {"STOR large", "resumable.last", 451}}},
	{name: "too large", status: 413, code: "uploadTooLarge", asks: []ask{{"STOR", "objects.insert", 552}, {"STOR large", "resumable.last", 552}}},
	{name: "quota", status: 403, code: "quotaExceeded", asks: []ask{
		{"STOR", "objects.insert", 552}, {"STOR large", "resumable.start", 552}, {"MKD", "objects.insert", 552}}},
	{name: "storage full", status: 507, code: "insufficientStorage", asks: []ask{{"STOR", "objects.insert", 452}}},
	{name: "bad object name", status: 400, code: "invalid", text: "The specified object name is not valid.", asks: []ask{{"STOR", "objects.insert", 553}}},
	{name: "credentials", status: 401, code: "authError", asks: []ask{{"STOR", "objects.insert", 451}, {"RETR", "objects.media", 450}}},
	{name: "nobody knows", status: 418, code: "neverHeardOf", asks: []ask{{"STOR", "objects.insert", 451}, {"SIZE", "objects.get", 450}}},
}

// Test50RefusalsOfTheStore lets a store answer with each error that it may have: the client is told what is
// right for it, the log has the store's own word and the number of the request, nothing in the
// bucket has changed, and no upload is left open. What may go away is tried again first: the limits of
// the gateway are short, and end that.
func Test50RefusalsOfTheStore(t *testing.T) {
	for kind, rows := range map[string][]refusal{s3Kind: s3Refusals, gcsKind: gcsRefusals} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, kind)
			g := newGateway(t, w, "limits: {commit: 1s, command: 1s, rename: 1s}", "cut: {grace: 5s}")
			for i, row := range rows {
				t.Run(row.name, func(t *testing.T) {
					for j, a := range row.asks {
						rt := refusalTest{w: w, g: g, dir: fmt.Sprintf("r%02d-%d", i, j), id: fmt.Sprintf("REQ%02d%02dID", i, j)}
						rt.run(t, row, a)
					}
				})
			}
		})
	}
}

// refusalTest is one question.
type refusalTest struct {
	w       *world
	g       *gateway
	dir, id string
}

func (rt refusalTest) run(t *testing.T, row refusal, a ask) {
	t.Helper()
	ctx := context.WithoutCancel(t.Context())
	old := []byte("the older object of " + rt.dir)
	if err := rt.w.store.Put(ctx, rt.dir+"/f.bin", old); err != nil {
		t.Fatal(err)
	}
	rt.w.proxy.Clear()
	r := fault.Rule{Match: fault.Op(a.op), Status: row.status, Header: http.Header{}}
	if rt.w.kind == s3Kind {
		r.Header.Set("X-Amz-Request-Id", rt.id)
		r.Body = fmt.Sprintf(`<?xml version="1.0"?><Error><Code>%s</Code><Message>%s</Message><RequestId>%s</RequestId></Error>`, row.code, row.text, rt.id)
	} else {
		r.Header.Set("X-Guploader-Uploadid", rt.id)
		r.Body = fmt.Sprintf(`{"error":{"code":%d,"message":%q,"errors":[{"reason":%q,"message":%[2]q}]}}`, row.status, row.text, row.code)
	}
	rt.w.proxy.Add(r)
	before := len(rt.g.Log())
	got, err := rt.ask(ctx, t, a.what)
	if err != nil {
		t.Errorf("%s: %v", a.what, err)
		return
	}
	if got != a.want {
		t.Errorf("%s, %s answered with %d %s: reply %d, want %d", a.what, a.op, row.status, row.code, got, a.want)
	}
	if rt.w.proxy.Count(a.op) == 0 {
		t.Errorf("%s never sent %s; seen: %v", a.what, a.op, rt.w.proxy.Counts())
	}
	if n := rt.w.proxy.Count(a.op); row.twice && n > 2 && a.op != "UploadPart" { // parts are sent side by side
		t.Errorf("%s, %s answered with %d %s: sent %d times, want 2", a.what, a.op, row.status, row.code, n)
	}
	rt.w.proxy.Clear()
	rt.g.waitNoSessions(t) // and with it for what the log has of it
	log := rt.g.Log()[before:]
	word := row.code
	if a.op == "HeadObject" {
		word = fmt.Sprintf("StatusCode: %d", row.status) // the answer to a HEAD has no body
	} else if rt.w.kind == gcsKind {
		word = fmt.Sprint(row.status)
	}
	if row.quiet {
		word, rt.id = "", ""
	}
	if !strings.Contains(log, word) || !strings.Contains(log, rt.id) {
		t.Errorf("%s, %s answered with %d %s: the log does not have %q and %q:\n%s", a.what, a.op, row.status, row.code, word, rt.id, log)
	}
	rt.w.wantObject(t, rt.dir+"/f.bin", old)
	if got := rt.w.files(t, rt.dir+"/"); !slices.Equal(got, []string{rt.dir + "/f.bin"}) {
		t.Errorf("%s, %s answered with %s: files %q, want the older one only", a.what, a.op, row.code, got)
	}
	rt.w.wantNoUploads(t)
}

// ask does what a client does, and returns the code of the reply that decides.
func (rt refusalTest) ask(ctx context.Context, t *testing.T, what string) (int, error) {
	c := rt.g.login(t, false)
	defer c.Quit()
	name := "/" + rt.dir + "/f.bin"
	switch what {
	case "STOR", "STOR large":
		size := 1000
		if what == "STOR large" {
			size = 12 << 20
		}
		d, err := c.Transfer(ctx, "STOR "+name)
		if err != nil {
			return 0, err
		}
		d.Write(random(1, size)) // a gateway that has given up need not take it all
		d.Close()
		r, err := c.ReadReply()
		return r.Code, err
	case "RETR", "LIST":
		if what == "LIST" {
			name = "/" + rt.dir
		}
		if _, err := c.Expect(229, "EPSV"); err != nil {
			return 0, err
		}
		r, err := c.Cmd(what + " " + name)
		return r.Code, err
	case "RNTO":
		if _, err := c.Expect(350, "RNFR "+name); err != nil {
			return 0, err
		}
		r, err := c.Cmd("RNTO /" + rt.dir + "/g.bin")
		return r.Code, err
	case "MKD", "CWD":
		r, err := c.Cmd(what + " /" + rt.dir + "/new")
		return r.Code, err
	}
	r, err := c.Cmd(what + " " + name)
	return r.Code, err
}
