# The static binary on an empty image: CA certificates, a user, and nothing else.
#
# The first stage needs the network only for Go's modules.
FROM golang:1.26-bookworm AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
RUN CGO_ENABLED=0 go build -buildvcs=false -trimpath -ldflags="-s -w" -o /out/usr/local/bin/ftp-gateway ./cmd/ftp-gateway \
 && mkdir -p /out/etc/ssl/certs /out/etc/ftp-gateway /out/tmp \
 && cp /etc/ssl/certs/ca-certificates.crt /out/etc/ssl/certs/ \
 && echo 'ftp-gateway:x:65532:65532:ftp-gateway:/:/sbin/nologin' > /out/etc/passwd \
 && echo 'ftp-gateway:x:65532:' > /out/etc/group \
 && chmod 1777 /out/tmp

FROM scratch
COPY --from=build /out/ /
USER 65532:65532
EXPOSE 2121 9121 30000-30009
ENTRYPOINT ["/usr/local/bin/ftp-gateway"]
CMD ["serve", "--config", "/etc/ftp-gateway/ftp-gateway.yaml"]
