package s3

import (
	"bytes"
	"context"
	"encoding/xml"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"regexp"
	"sync/atomic"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	smithyendpoints "github.com/aws/smithy-go/endpoints"
	"github.com/aws/smithy-go/middleware"
	smithyhttp "github.com/aws/smithy-go/transport/http"
)

// maxMoves is how often one attempt may be sent elsewhere.
const maxMoves = 3

// errorBody is how much of an answer is looked at for the region.
const errorBody = 64 << 10

// region is where the bucket is, as its server says when it was asked in another region. It is learned
// once, and holds for all requests from then on, whatever their credentials.
type region struct {
	configured, endpoint, bucket string
	log                          *slog.Logger
	learned                      atomic.Pointer[string]
}

// regionName is what may become a part of a host name.
var regionName = regexp.MustCompile(`^[a-z0-9-]{1,63}$`)

// learn reports whether name says something new.
func (r *region) learn(name string) bool {
	if name == r.configured || !regionName.MatchString(name) || !r.learned.CompareAndSwap(nil, &name) {
		return false
	}
	hint := `write "region: ` + name + `"`
	if r.endpoint != "" {
		hint += ", and look whether the endpoint is that region's"
	}
	r.log.Warn("the bucket is in another region than the one that is configured; requests go there from now on",
		"bucket", r.bucket, "configured", r.configured, "is in", name, "hint", hint)
	return true
}

// ResolveEndpoint implements s3.EndpointResolverV2: the rules of the SDK for the learned region, and the
// place that the server has sent this request to. It decides for what is signed, too.
func (r *region) ResolveEndpoint(ctx context.Context, p s3.EndpointParameters) (smithyendpoints.Endpoint, error) {
	p.Region = cmpPointer(r.learned.Load(), p.Region)
	e, err := s3.NewDefaultEndpointResolverV2().ResolveEndpoint(ctx, p)
	if c, ok := ctx.Value(callKey{}).(*call); ok && c.place != nil {
		e.URI.Scheme, e.URI.Host = c.place.Scheme, c.place.Host
	}
	return e, err
}

func cmpPointer[T any](a, b *T) *T {
	if a != nil {
		return a
	}
	return b
}

// moved reports whether an attempt that ended with err shall be made again at once, elsewhere: in
// the bucket's own region, or where the answer says. Redirects of HTTP are not left to net/http, as the
// host is signed.
func (r *region) moved(c *call, err error) bool {
	var resp *smithyhttp.ResponseError
	if !errors.As(err, &resp) {
		return false
	}
	switch resp.HTTPStatusCode() {
	case http.StatusMovedPermanently, http.StatusBadRequest:
		// 301 PermanentRedirect, or 400 AuthorizationHeaderMalformed, which for a HEAD has no name.
		if c.region == "" {
			return false
		}
		if r.learn(c.region) {
			return true
		}
		// Another request has learned it since this one was sent.
		now := r.learned.Load()
		return now != nil && *now == c.region && c.sentTo != c.region
	case http.StatusTemporaryRedirect, http.StatusPermanentRedirect:
		return c.follow(resp.Response)
	}
	return false
}

// follow keeps the place that an answer names, for this request only. The bucket is put into the request in the
// same way there, and what was encrypted stays so.
func (c *call) follow(resp *smithyhttp.Response) bool {
	if resp == nil || resp.Response == nil || resp.Request == nil {
		return false
	}
	from := resp.Request.URL
	to, err := from.Parse(resp.Header.Get("Location"))
	if err != nil || to.Host == "" || to.Path != from.Path || to.Scheme != from.Scheme && to.Scheme != "https" ||
		to.Host == from.Host && to.Scheme == from.Scheme {
		return false
	}
	c.place = &url.URL{Scheme: to.Scheme, Host: to.Host}
	return true
}

// look keeps what an answer says of the bucket's region. The SDK's errors do not.
func (r *region) look(c *call, resp *smithyhttp.Response) {
	c.region = ""
	if resp.StatusCode != http.StatusMovedPermanently && resp.StatusCode != http.StatusBadRequest {
		return
	}
	head, err := io.ReadAll(io.LimitReader(resp.Body, errorBody))
	resp.Body = struct {
		io.Reader
		io.Closer
	}{io.MultiReader(bytes.NewReader(head), failing{err}, resp.Body), resp.Body}
	var body struct{ Code, Region string }
	// A body that is something else has no region.
	_ = xml.Unmarshal(head, &body)
	if body.Code == "" || body.Code == "PermanentRedirect" || body.Code == "AuthorizationHeaderMalformed" {
		if c.region = resp.Header.Get("X-Amz-Bucket-Region"); c.region == "" {
			c.region = body.Region
		}
	}
}

// failing is a reader that gives its error, or nothing.
type failing struct{ err error }

func (f failing) Read([]byte) (int, error) {
	if f.err != nil {
		return 0, f.err
	}
	return 0, io.EOF
}

// watchAnswers looks at each answer before the SDK makes an error of it.
func (r *region) watchAnswers(stack *middleware.Stack) error {
	return stack.Deserialize.Add(middleware.DeserializeMiddlewareFunc("FTPGatewayRegion",
		func(ctx context.Context, in middleware.DeserializeInput, next middleware.DeserializeHandler) (middleware.DeserializeOutput, middleware.Metadata, error) {
			c, ok := ctx.Value(callKey{}).(*call)
			if !ok {
				return next.HandleDeserialize(ctx, in)
			}
			c.sentTo = r.configured
			if now := r.learned.Load(); now != nil {
				c.sentTo = *now
			}
			out, md, err := next.HandleDeserialize(ctx, in)
			if resp, ok := out.RawResponse.(*smithyhttp.Response); ok && err == nil {
				r.look(c, resp)
			}
			return out, md, err
		}), middleware.After)
}
