package cli

import (
	"context"
	"errors"
	"os"
	"os/signal"
	"strconv"
	"syscall"
	"time"
)

// signaled is why a context ended.
type signaled syscall.Signal

func (s signaled) Error() string { return "interrupted by " + s.name() }

func (s signaled) name() string {
	switch syscall.Signal(s) {
	case syscall.SIGINT:
		return "SIGINT"
	case syscall.SIGTERM:
		return "SIGTERM"
	case syscall.SIGHUP:
		return "SIGHUP"
	}
	return "signal " + strconv.Itoa(int(s))
}

// sameKey is how long two signals count as one: a key on a terminal reaches both the
// process of a user and its child in a user namespace, which gets it from there, too.
const sameKey = 500 * time.Millisecond

// untilSignal returns a context that the first SIGINT, SIGTERM or SIGHUP cancels;
// another one ends the process, whatever it is waiting for.
func untilSignal() (ctx context.Context, stop func()) {
	ctx, cancel := context.WithCancelCause(context.Background())
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
	go func() {
		select {
		case s := <-signals:
			if number, ok := s.(syscall.Signal); ok {
				cancel(signaled(number))
			}
			time.Sleep(sameKey)
			signal.Stop(signals)
		case <-ctx.Done():
		}
	}()
	return ctx, func() { signal.Stop(signals); cancel(nil) }
}

// caught is the signal that ended ctx, or 0.
func caught(ctx context.Context) signaled {
	var s signaled
	if errors.As(context.Cause(ctx), &s) {
		return s
	}
	return 0
}
