package registry

import (
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
)

// Options is how a Client behaves; the zero value reads no settings file, knows no
// credentials and talks https.
type Options struct {
	// Settings are the registries' settings, from LoadSettings; nil: none.
	Settings *Settings
	// Keychain finds credentials; nil: none, everything is asked for anonymously.
	Keychain authn.Keychain
	// PlainHTTP talks http to the registries that are named (not to hosts that
	// they redirect to).
	PlainHTTP bool
	// Insecure accepts any certificate of the registries that are named, and turns
	// to http where they do not speak TLS.
	Insecure bool
	// CertDirs are directories with one directory per host, which holds *.crt
	// (authorities), *.cert and *.key (client certificates); the first that has
	// one for the host is used.
	CertDirs []string
	// UserAgent is what the client calls itself; empty: "berth".
	UserAgent string
	// Attempts is how often something is tried in all before the error counts;
	// zero: 6. Progress in a stream starts the count anew.
	Attempts int
	// Backoff is the wait before the first retry, doubled for each after it; zero:
	// 250 ms.
	Backoff time.Duration
	// MaxWait is the longest wait that a server may ask for with Retry-After; zero:
	// two minutes. A longer one ends the attempts.
	MaxWait time.Duration
	// Silence is how long a server may send nothing and read nothing; zero: 30 s.
	Silence time.Duration
	// ChunkSize is the size of the parts of a chunked upload in bytes; zero: blobs
	// are uploaded whole, and in parts of 16 MiB once that has failed.
	ChunkSize int64
	// Notice is told what a user may want to know while waiting: retries, mirrors
	// that do not answer. Nil: nobody is told. It may be called concurrently.
	Notice func(message string)
}

func (o Options) withDefaults() Options {
	if o.Settings == nil {
		o.Settings = &Settings{}
	}
	if o.UserAgent == "" {
		o.UserAgent = "berth"
	}
	if o.Attempts <= 0 {
		o.Attempts = 6
	}
	if o.Backoff <= 0 {
		o.Backoff = 250 * time.Millisecond
	}
	if o.MaxWait <= 0 {
		o.MaxWait = 2 * time.Minute
	}
	if o.Silence <= 0 {
		o.Silence = 30 * time.Second
	}
	if o.Notice == nil {
		o.Notice = func(string) {}
	}
	return o
}
