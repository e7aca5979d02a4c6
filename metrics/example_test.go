package metrics_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"

	"github.com/ftp-gateway/ftp-gateway/metrics"
)

func Example() {
	m := metrics.New("v1.0.0")
	health := new(metrics.Health)
	srv := httptest.NewServer(m.Handler(health))
	defer srv.Close()

	for range 2 {
		resp, err := http.Get(srv.URL + "/readyz")
		if err != nil {
			panic(err)
		}
		resp.Body.Close()
		fmt.Println(resp.Status)
		health.Stop() // the server begins to shut down
	}
	// Output:
	// 200 OK
	// 503 Service Unavailable
}
