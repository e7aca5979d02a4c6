package servers

import (
	"crypto/tls"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httputil"
	"sync"
)

// Forward is a forward proxy, as one at the edge of a company's network: it takes requests for any host, by CONNECT or
// with a whole URL, and knows where some hosts really are. Others it refuses.
type Forward struct {
	l   net.Listener
	srv *http.Server

	mu    sync.Mutex
	hosts map[string]string // host:port, and where it is
	asked []string
}

// StartForward starts a proxy on a free port of loopback. Hosts gives for each host:port the one that is dialled.
func StartForward(hosts map[string]string) (*Forward, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	f := &Forward{l: l, hosts: hosts}
	rp := &httputil.ReverseProxy{ErrorLog: log.New(io.Discard, "", 0), Rewrite: func(r *httputil.ProxyRequest) {
		r.Out.URL.Host = f.where(r.In.URL.Host)
		r.Out.Host = r.In.Host
	}}
	f.srv = &http.Server{ErrorLog: log.New(io.Discard, "", 0), Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch host := r.Host; {
		case r.Method == http.MethodConnect:
			f.tunnel(w, r)
		case f.where(r.URL.Host) == "":
			f.note("refused " + host)
			http.Error(w, "not for you", http.StatusForbidden)
		default:
			f.note(r.URL.Host)
			rp.ServeHTTP(w, r)
		}
	})}
	go f.srv.Serve(l) // ends with Close
	return f, nil
}

func (f *Forward) where(host string) string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.hosts[host]
}

func (f *Forward) note(host string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.asked = append(f.asked, host)
}

// tunnel serves CONNECT. Its two goroutines end when both sides have.
func (f *Forward) tunnel(w http.ResponseWriter, r *http.Request) {
	to := f.where(r.Host)
	if to == "" {
		f.note("refused " + r.Host)
		http.Error(w, "not for you", http.StatusForbidden)
		return
	}
	f.note(r.Host)
	up, err := net.Dial("tcp", to)
	if err != nil {
		http.Error(w, "nobody there", http.StatusBadGateway)
		return
	}
	defer up.Close()
	down, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	defer down.Close()
	io.WriteString(down, "HTTP/1.1 200 Connection established\r\n\r\n")
	done := make(chan struct{})
	go func() {
		io.Copy(up, down)
		up.(*net.TCPConn).CloseWrite()
		close(done)
	}()
	io.Copy(down, up)
	down.Close()
	<-done
}

// URL is what HTTPS_PROXY and HTTP_PROXY are set to.
func (f *Forward) URL() string { return "http://" + f.l.Addr().String() }

// Asked returns for which hosts requests or connections came.
func (f *Forward) Asked() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]string(nil), f.asked...)
}

// Close ends the proxy. Connections that are tunnelled end with their ends.
func (f *Forward) Close() error { return f.srv.Close() }

// TLSFront serves h over TLS on a free port of loopback until it is closed, with a certificate for all hosts that it
// stands for.
func TLSFront(c Certificates, h http.Handler) (*http.Server, string, error) {
	cert, err := tls.LoadX509KeyPair(c.Cert, c.Key)
	if err != nil {
		return nil, "", err
	}
	l, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{cert}, NextProtos: []string{"http/1.1"}})
	if err != nil {
		return nil, "", err
	}
	srv := &http.Server{Handler: h, ErrorLog: log.New(io.Discard, "", 0)}
	go srv.Serve(l) // ends with Close
	return srv, l.Addr().String(), nil
}
