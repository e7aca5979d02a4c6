// Package metrics counts what the server and its back ends do, for Prometheus,
// and answers probes. The measured code does not know that it is measured:
// sessions are seen through [protocol.Hooks], stores through an
// [http.RoundTripper] around the one that the SDK would use.
//
//	m := metrics.New(version)
//	srv.Hooks = m.Hooks()
//	client.Transport = m.Transport("arch", metrics.GCSOperation, client.Transport)
//	http.Serve(l, m.Handler(health))
//
// All names begin with ftp_gateway_. Labels come from short closed lists; user
// names, paths and addresses are never among them, since each of them can have as many
// values as a stranger likes.
package metrics

import (
	"net/http"
	"runtime"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/ftp-gateway/ftp-gateway/protocol"
)

const namespace = "ftp_gateway"

// Metrics are the collectors of one process on a registry of their own. They
// are safe for use by many goroutines.
type Metrics struct {
	registry *prometheus.Registry

	sessions      prometheus.Gauge
	sessionsTotal prometheus.Counter
	refused       *prometheus.CounterVec
	logins        *prometheus.CounterVec
	commands      *prometheus.CounterVec
	transfers     *prometheus.CounterVec
	transferBytes *prometheus.CounterVec
	transferTime  *prometheus.HistogramVec
	panics        prometheus.Counter

	storeRequests *prometheus.CounterVec
	storeTime     *prometheus.HistogramVec
}

// New makes the collectors. The version is that of the program.
func New(version string) *Metrics {
	counter := func(name, help string) prometheus.CounterOpts {
		return prometheus.CounterOpts{Namespace: namespace, Name: name, Help: help}
	}
	m := &Metrics{
		registry: prometheus.NewRegistry(),
		sessions: prometheus.NewGauge(prometheus.GaugeOpts{Namespace: namespace, Name: "sessions",
			Help: "Sessions that are open."}),
		sessionsTotal: prometheus.NewCounter(counter("sessions_total", "Sessions that were opened.")),
		refused: prometheus.NewCounterVec(counter("connections_refused_total",
			"Control connections that were not served, by reason: limit, limit_ip, banned, shutdown, other."), []string{"reason"}),
		logins: prometheus.NewCounterVec(counter("logins_total",
			"Logins by result: ok, denied, error (nobody could tell), limit, banned, other."), []string{"result"}),
		commands: prometheus.NewCounterVec(counter("commands_total",
			"Commands by verb and code of the last reply."), []string{"verb", "code"}),
		transfers: prometheus.NewCounterVec(counter("transfers_total",
			"Transfers by verb and result: done, no_data, cut, aborted, stalled, shutdown, failed."), []string{"verb", "result"}),
		transferBytes: prometheus.NewCounterVec(counter("transfer_bytes_total",
			"Bytes over data connections by direction, seen from the server: in, out."), []string{"direction"}),
		transferTime: prometheus.NewHistogramVec(prometheus.HistogramOpts{Namespace: namespace, Name: "transfer_duration_seconds",
			Help:    "Time from the first to the last reply of a transfer, by direction.",
			Buckets: []float64{.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60, 300, 1800}}, []string{"direction"}),
		panics: prometheus.NewCounter(counter("panics_total", "Sessions that a programming error has ended.")),
		storeRequests: prometheus.NewCounterVec(counter("store_requests_total",
			"HTTP requests to object stores, each attempt counted, by back end, operation and result."), []string{"backend", "operation", "result"}),
		storeTime: prometheus.NewHistogramVec(prometheus.HistogramOpts{Namespace: namespace, Name: "store_request_duration_seconds",
			Help:    "Time from the start of a request to an object store to the head of its answer.",
			Buckets: []float64{.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60}}, []string{"backend", "operation"}),
	}
	build := prometheus.NewGauge(prometheus.GaugeOpts{Namespace: namespace, Name: "build_info", Help: "Always 1; the labels tell what runs.",
		ConstLabels: prometheus.Labels{"version": version, "goversion": runtime.Version()}})
	build.Set(1)
	m.registry.MustRegister(build, m.sessions, m.sessionsTotal, m.refused, m.logins, m.commands, m.transfers, m.transferBytes,
		m.transferTime, m.panics, m.storeRequests, m.storeTime,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	// What is written in alerts has to exist before it happens first.
	for _, r := range []string{"limit", "limit_ip", "banned", "shutdown"} {
		m.refused.WithLabelValues(r)
	}
	for _, r := range []string{"ok", "denied", "error", "limit", "banned"} {
		m.logins.WithLabelValues(r)
	}
	for _, d := range []string{"in", "out"} {
		m.transferBytes.WithLabelValues(d)
	}
	return m
}

// Hooks returns the hooks that feed the collectors.
func (m *Metrics) Hooks() protocol.Hooks {
	return protocol.Hooks{
		Connect:    func(protocol.Client) { m.sessions.Inc(); m.sessionsTotal.Inc() },
		Disconnect: func(protocol.Client, time.Duration) { m.sessions.Dec() },
		Refused: func(reason string) {
			m.refused.WithLabelValues(oneOf(reason, "limit", "limit_ip", "banned", "shutdown")).Inc()
		},
		Login: func(protocol.Client) { m.logins.WithLabelValues("ok").Inc() },
		LoginFailed: func(_ protocol.Client, reason string) {
			m.logins.WithLabelValues(oneOf(reason, "denied", "error", "limit", "banned")).Inc()
		},
		Command: func(c protocol.Command) {
			m.commands.WithLabelValues(c.Verb, code(c.Code)).Inc()
		},
		Transfer: func(_ protocol.Client, t protocol.Transfer) {
			direction := "out"
			if t.Upload {
				direction = "in"
			}
			m.transfers.WithLabelValues(t.Verb, string(t.Result)).Inc()
			m.transferBytes.WithLabelValues(direction).Add(float64(max(0, t.Bytes)))
			m.transferTime.WithLabelValues(direction).Observe(t.Took.Seconds())
		},
		Panic: func(protocol.Client, any, []byte) { m.panics.Inc() },
	}
}

// oneOf keeps a label's list closed.
func oneOf(s string, list ...string) string {
	for _, l := range list {
		if s == l {
			return s
		}
	}
	return "other"
}

// code is a reply code as a label; what is none is 0.
func code(n int) string {
	if n < 100 || n > 699 {
		n = 0
	}
	return strconv.Itoa(n)
}

// Memory tells about the budget that all uploads share.
type Memory struct {
	Limit    func() int64 // bytes
	InUse    func() int64 // bytes that hold data of clients
	Reserved func() int64 // bytes in use or promised
	Waiting  func() int   // uploads that wait for memory
}

// UploadMemory registers gauges that ask the functions whenever metrics are
// read. It must be called at most once.
func (m *Metrics) UploadMemory(mem Memory) {
	gauge := func(name, help string, f func() float64) {
		m.registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Namespace: namespace, Name: name, Help: help}, f))
	}
	gauge("upload_memory_limit_bytes", "Memory that uploads into buckets may use.", func() float64 { return float64(mem.Limit()) })
	gauge("upload_memory_used_bytes", "Memory that holds data of uploads into buckets.", func() float64 { return float64(mem.InUse()) })
	gauge("upload_memory_reserved_bytes", "Memory that is in use by or promised to uploads into buckets.", func() float64 { return float64(mem.Reserved()) })
	gauge("uploads_waiting", "Uploads into buckets that wait for memory.", func() float64 { return float64(mem.Waiting()) })
}

// Guard registers what tells about bans and slowed users: how many bans there have been, how many
// addresses are banned now, and how many users are slowed down. It must be called at most once.
func (m *Metrics) Guard(bans func() uint64, active, slowed func() int) {
	m.registry.MustRegister(
		prometheus.NewCounterFunc(prometheus.CounterOpts{Namespace: namespace, Name: "bans_total",
			Help: "Addresses that were banned for too many wrong passwords."}, func() float64 { return float64(bans()) }),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{Namespace: namespace, Name: "banned_addresses",
			Help: "Addresses that are banned."}, func() float64 { return float64(active()) }),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{Namespace: namespace, Name: "slowed_users",
			Help: "Users whose logins wait because they were guessed at too often, 1024 at most."}, func() float64 { return float64(slowed()) }))
}

// Registry returns the registry, for further collectors.
func (m *Metrics) Registry() *prometheus.Registry { return m.registry }

// Handler serves /metrics, and /healthz and /readyz as [Health] tells.
func (m *Metrics) Handler(h *Health) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{Registry: m.registry}))
	mux.HandleFunc("GET /healthz", h.serveLive)
	mux.HandleFunc("GET /readyz", h.serveReady)
	return mux
}
