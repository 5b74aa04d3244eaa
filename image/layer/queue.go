package layer

import (
	"errors"
	"sync"
)

const (
	// smallFile is what is read ahead and written by another goroutine, in bytes.
	smallFile = 64 << 10
	// queueBytes bounds the content that waits for being written.
	queueBytes = 1 << 20
	// queueJobs is more than queueBytes lets in: the channel never blocks.
	queueJobs = 2 * queueBytes / tinyFile
)

// place is a name in a directory.
type place struct {
	ino  uint64
	name string
}

// errQueue is never seen outside: the writers' own error replaces it.
var errQueue = errors.New("a writer has failed")

// queue writes small files beside the goroutine that reads the archive: making a
// file costs more than unpacking it. Everything else waits with settle or drain for
// what it depends on, so the result is the one of a strict sequence. Both, and put,
// answer errQueue when a writer has failed.
type queue struct {
	jobs chan job
	done sync.WaitGroup

	mu     sync.Mutex
	idle   sync.Cond
	flying map[place]struct{}
	bytes  int
	err    error
	// until is what the reader waits for, nil when it does not wait. Waking it for
	// every file would cost as much as the file.
	until func() bool
}

// job is one small file.
type job struct {
	at   place
	dir  *folder // held
	file file
	data *[]byte
	size int
}

func newQueue(writers int, write func(job) error) *queue {
	q := &queue{jobs: make(chan job, queueJobs), flying: make(map[place]struct{}, queueJobs)}
	q.idle.L = &q.mu
	for range writers {
		q.done.Go(func() {
			for j := range q.jobs {
				var err error
				if !q.failed() {
					err = write(j)
				}
				q.finish(j, err)
			}
		})
	}
	return q
}

func (q *queue) failed() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.err != nil
}

func (q *queue) finish(j job, err error) {
	j.dir.drop()
	room := cap(*j.data)
	giveBuffer(j.data)
	q.mu.Lock()
	delete(q.flying, j.at)
	q.bytes -= room
	if q.err == nil {
		q.err = err
	}
	if q.until != nil && q.until() {
		q.idle.Signal()
	}
	q.mu.Unlock()
}

// wait waits, with mu held, until what holds. That comes about after a failure too:
// writers that have nothing more to do finish their jobs all the same, and what is
// removed next must not be written to.
func (q *queue) wait(what func() bool) error {
	q.until = what
	for !what() {
		q.idle.Wait()
	}
	q.until = nil
	if q.err != nil {
		return errQueue
	}
	return nil
}

func (q *queue) isFlying(at place) bool {
	_, busy := q.flying[at]
	return busy
}

// put hands a job over; it waits while too much, or a file of the same name, is on
// its way.
func (q *queue) put(j job) error {
	q.mu.Lock()
	if q.bytes > queueBytes {
		// Half of it, so that the reader has something to do when it wakes.
		_ = q.wait(func() bool { return q.bytes <= queueBytes/2 }) // the next one tells
	}
	err := q.wait(func() bool { return !q.isFlying(j.at) })
	if err == nil {
		q.bytes += cap(*j.data)
		q.flying[j.at] = struct{}{}
	}
	q.mu.Unlock()
	if err != nil {
		return err
	}
	j.dir.hold()
	q.jobs <- j
	return nil
}

// settle waits until nothing of that name is on its way.
func (q *queue) settle(at place) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.wait(func() bool { return !q.isFlying(at) })
}

// holds tells whether a file of that name is on its way, in whatever directory.
func (q *queue) holds(name string) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	for at := range q.flying {
		if at.name == name {
			return true
		}
	}
	return false
}

// drain waits until nothing is on its way.
func (q *queue) drain() error {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.wait(func() bool { return len(q.flying) == 0 })
}

// close ends the writers; what is queued is written first, unless one has failed,
// whose error it returns.
func (q *queue) close() error {
	close(q.jobs)
	q.done.Wait()
	return q.err
}

// Two sizes of buffers, so that ten thousand tiny files do not hold 64 KiB each.
const tinyFile = 4 << 10

var tinyBuffers, smallBuffers sync.Pool

func takeBuffer(size int) *[]byte {
	pool, room := &smallBuffers, smallFile
	if size <= tinyFile {
		pool, room = &tinyBuffers, tinyFile
	}
	if b, ok := pool.Get().(*[]byte); ok {
		return b
	}
	b := make([]byte, room)
	return &b
}

func giveBuffer(b *[]byte) {
	if cap(*b) == tinyFile {
		tinyBuffers.Put(b)
		return
	}
	smallBuffers.Put(b)
}
