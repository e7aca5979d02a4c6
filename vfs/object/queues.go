package object

import (
	"container/heap"
	"container/list"
	"time"
)

// waiter is an upload whose client has sent what there is no room for.
type waiter struct {
	a     *account
	rest  int // blocks that its part still needs
	since time.Time
	ready chan struct{} // closed when it has been served

	elem *list.Element
	heap *rests
	at   int // its place in the heap
}

// queued reports whether the waiter is in a queue.
func (w *waiter) queued() bool { return w.elem != nil || w.heap != nil }

// queues are the uploads that wait. No operation costs more than the logarithm of their number.
type queues struct {
	holders   rests     // hold blocks of the part that they fill
	slow      list.List // of *waiter: those that lost their lease
	rests     rests     // the same
	newcomers list.List // of *waiter: hold nothing
}

func (q *queues) len() int { return q.holders.Len() + q.slow.Len() + q.newcomers.Len() }

func (q *queues) add(w *waiter) {
	switch {
	case w.a.slow:
		w.elem = q.slow.PushBack(w)
		q.rests.add(w)
	case w.a.held > 0:
		q.holders.add(w)
	default:
		w.elem = q.newcomers.PushBack(w)
	}
}

func (q *queues) remove(w *waiter) {
	if w.heap != nil {
		heap.Remove(w.heap, w.at)
		w.heap = nil
	}
	if w.elem != nil {
		q.slow.Remove(w.elem) // each list ignores the elements of the other
		q.newcomers.Remove(w.elem)
		w.elem = nil
	}
}

// rests is a heap of waiters with the smallest rest on top.
type rests struct{ all []*waiter }

func (h *rests) add(w *waiter) {
	w.heap = h
	heap.Push(h, w)
}

// The methods of heap.Interface.

func (h *rests) Len() int           { return len(h.all) }
func (h *rests) Less(i, j int) bool { return h.all[i].rest < h.all[j].rest }
func (h *rests) Swap(i, j int) {
	h.all[i], h.all[j] = h.all[j], h.all[i]
	h.all[i].at, h.all[j].at = i, j
}

func (h *rests) Push(x any) {
	w := x.(*waiter)
	w.at = len(h.all)
	h.all = append(h.all, w)
}

func (h *rests) Pop() any {
	last := len(h.all) - 1
	w := h.all[last]
	h.all[last] = nil
	h.all = h.all[:last]
	return w
}
