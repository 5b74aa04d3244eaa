// Package progress shows how tasks that run side by side get on: bars on a terminal,
// plain lines in a log, JSON lines for programs, or nothing.
//
// A Display may be used by many goroutines. A nil *Display and a nil *Task are valid
// and silent, so that callers need no conditions. It writes to the stream it is
// given (stderr, usually) and never fails: a log that cannot be written stops no
// transfer.
//
// The terminal is driven by vbauerster/mpb, which moves the cursor and clears what
// it wrote; what stands on a line is drawn here.
package progress
