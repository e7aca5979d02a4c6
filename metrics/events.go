package metrics

import "github.com/prometheus/client_golang/prometheus"

// EventReceiver registers what is known of a receiver of events: how many wait for it, how many
// it has taken, how many attempts failed, how many were given up. The
// functions are called whenever metrics are read. Each name is registered once.
func (m *Metrics) EventReceiver(name string, waiting func() int, counts func() (delivered, failed, dropped int64)) {
	label := prometheus.Labels{"receiver": name}
	m.registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Namespace: namespace, Name: "events_waiting",
		Help: "Events in the outbox, by receiver.", ConstLabels: label}, func() float64 { return float64(waiting()) }))
	counter := func(name, help string, f func() int64) {
		m.registry.MustRegister(prometheus.NewCounterFunc(prometheus.CounterOpts{Namespace: namespace, Name: name, Help: help, ConstLabels: label},
			func() float64 { return float64(f()) }))
	}
	counter("events_delivered_total", "Events that the receiver has taken.", func() int64 { n, _, _ := counts(); return n })
	counter("event_attempts_failed_total", "Attempts to deliver an event that failed.", func() int64 { _, n, _ := counts(); return n })
	counter("events_given_up_total", "Events that were dropped because the receiver did not take them.", func() int64 { _, _, n := counts(); return n })
}

// EventsLost registers the number of events that the disk was too slow or too full for. It must be called at most once.
func (m *Metrics) EventsLost(lost func() int64) {
	m.registry.MustRegister(prometheus.NewCounterFunc(prometheus.CounterOpts{Namespace: namespace, Name: "events_lost_total",
		Help: "Events that were lost before they were written down; uploads that got 226 are never among them."},
		func() float64 { return float64(lost()) }))
}
