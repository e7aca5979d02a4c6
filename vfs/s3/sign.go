package s3

import (
	"context"
	"net/http"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go/middleware"
	smithyhttp "github.com/aws/smithy-go/transport/http"
)

// apply changes what the SDK sends and signs to what the server bears.
func (p profile) apply(o *s3.Options) {
	if !p.signEncoding {
		o.HTTPSignerV4 = unsignedEncoding{o.HTTPSignerV4}
	}
	if !p.xID {
		o.APIOptions = append(o.APIOptions, dropXID)
	}
}

// unsignedEncoding keeps Accept-Encoding out of the signature, and sends it.
type unsignedEncoding struct{ next s3.HTTPSignerV4 }

func (u unsignedEncoding) SignHTTP(ctx context.Context, c aws.Credentials, r *http.Request, hash, service, region string, at time.Time, opts ...func(*v4.SignerOptions)) error {
	const header = "Accept-Encoding"
	kept, ok := r.Header[header]
	delete(r.Header, header)
	err := u.next.SignHTTP(ctx, c, r, hash, service, region, at, opts...)
	if ok {
		r.Header[header] = kept
	}
	return err
}

// dropXID takes the parameter x-id out of the query before it is signed.
func dropXID(stack *middleware.Stack) error {
	return stack.Build.Add(middleware.BuildMiddlewareFunc("FTPGatewayDropXID",
		func(ctx context.Context, in middleware.BuildInput, next middleware.BuildHandler) (middleware.BuildOutput, middleware.Metadata, error) {
			if r, ok := in.Request.(*smithyhttp.Request); ok {
				q := r.URL.Query()
				q.Del("x-id")
				r.URL.RawQuery = q.Encode()
			}
			return next.HandleBuild(ctx, in)
		}), middleware.After)
}
