package testregistry

import (
	"net/http"
	"strconv"
	"strings"
	"time"
)

// Fault is what goes wrong. What is zero goes right.
type Fault struct {
	// Method and Path (a part of it) are what requests it is about; empty: any.
	Method, Path string
	// Match is a further condition.
	Match func(*http.Request) bool
	// Times is how often it happens; 0: always.
	Times int
	// After is how many fitting requests go right first.
	After int

	// Status is answered instead, with RetryAfter and Header if they are set.
	Status     int
	RetryAfter string
	Header     http.Header
	Body       string
	// Redirect answers 307 to this URL, to which the path and query are added if
	// it ends in "+".
	Redirect string
	// Delay is waited before anything is answered.
	Delay time.Duration
	// Cut ends the connection after so many bytes of the answer's body.
	Cut int64
	// Silent sends nothing more after so many bytes of the body, and keeps the
	// connection open until the client leaves; with -1 not even headers are sent.
	Silent int64
	// Slow waits so long after each 4 KiB.
	Slow time.Duration
	// Corrupt changes the first byte of the body.
	Corrupt bool
	// Rewrite changes the headers of the answer.
	Rewrite func(http.Header)
	// CutRequest ends the connection after so many bytes of the request's body.
	CutRequest int64
}

// fault finds the fault for a request.
func (r *Registry) fault(req *http.Request) *Fault {
	r.mu.Lock()
	defer r.mu.Unlock()
	for i, f := range r.faults {
		if f.Method != "" && f.Method != req.Method || !strings.Contains(req.URL.Path, f.Path) || f.Match != nil && !f.Match(req) {
			continue
		}
		if f.After > 0 {
			f.After--
			return nil
		}
		if f.Times > 0 {
			f.Times--
			if f.Times == 0 {
				copied := *f
				r.faults = append(r.faults[:i:i], r.faults[i+1:]...)
				return &copied
			}
		}
		return f
	}
	return nil
}

// answer carries out what replaces the answer; it tells whether there is one left
// to give.
func (f *Fault) answer(w http.ResponseWriter, req *http.Request) bool {
	time.Sleep(f.Delay)
	if f.Silent < 0 {
		<-req.Context().Done()
		return true
	}
	if f.CutRequest > 0 {
		buf := make([]byte, f.CutRequest)
		for n := 0; n < len(buf); {
			m, err := req.Body.Read(buf[n:])
			n += m
			if err != nil {
				break
			}
		}
		panic(http.ErrAbortHandler)
	}
	for name, values := range f.Header {
		w.Header()[name] = values
	}
	switch {
	case f.Redirect != "":
		to := f.Redirect
		if strings.HasSuffix(to, "+") {
			to = strings.TrimSuffix(to, "+") + req.URL.RequestURI()
		}
		w.Header().Set("Location", to)
		w.WriteHeader(http.StatusTemporaryRedirect)
	case f.Status != 0:
		if f.RetryAfter != "" {
			w.Header().Set("Retry-After", f.RetryAfter)
		}
		w.WriteHeader(f.Status)
		_, _ = w.Write([]byte(f.Body)) // the client may be gone
	default:
		return false
	}
	return true
}

// faultyWriter carries out what goes wrong with a body.
type faultyWriter struct {
	http.ResponseWriter
	f    *Fault
	req  *http.Request
	sent int64
}

// WriteHeader sends the headers, changed if the fault says so.
func (w *faultyWriter) WriteHeader(status int) {
	if w.f.Rewrite != nil {
		w.f.Rewrite(w.Header())
	}
	w.ResponseWriter.WriteHeader(status)
}

// Write sends a part of the body.
func (w *faultyWriter) Write(p []byte) (int, error) {
	total := 0
	for len(p) > 0 {
		n, err := w.piece(p)
		total += n
		if err != nil {
			return total, err
		}
		p = p[n:]
	}
	return total, nil
}

func (w *faultyWriter) piece(p []byte) (int, error) {
	most := int64(len(p))
	if w.f.Slow > 0 {
		most = min(most, 4096)
	}
	end := max(w.f.Cut, w.f.Silent)
	if end > 0 {
		most = min(most, end-w.sent)
	}
	part := p[:most]
	if w.f.Corrupt && w.sent == 0 && most > 0 {
		part = append([]byte{p[0] ^ 1}, p[1:most]...)
	}
	n, err := w.ResponseWriter.Write(part)
	w.sent += int64(n)
	if err != nil {
		return n, err
	}
	if end > 0 && w.sent >= end {
		_ = http.NewResponseController(w.ResponseWriter).Flush() // the client may be gone
		if w.f.Cut > 0 {
			panic(http.ErrAbortHandler)
		}
		<-w.req.Context().Done()
		return n, w.req.Context().Err()
	}
	if w.f.Slow > 0 {
		_ = http.NewResponseController(w.ResponseWriter).Flush() // as above
		time.Sleep(w.f.Slow)
	}
	return n, nil
}

// statusWriter notes the status for Requests.
type statusWriter struct {
	http.ResponseWriter
	status int
}

// WriteHeader notes the status and sends the headers.
func (w *statusWriter) WriteHeader(status int) {
	w.status = status
	w.ResponseWriter.WriteHeader(status)
}

// Unwrap is for http.ResponseController.
func (w *statusWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func refuse(w http.ResponseWriter, status int, code string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	message := strings.ToLower(strings.ReplaceAll(code, "_", " "))
	_, _ = w.Write([]byte(`{"errors":[{"code":` + strconv.Quote(code) + `,"message":` + strconv.Quote(message) + `}]}`)) // the client may be gone
}
