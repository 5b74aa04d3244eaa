// Package cli is berth's command line: one file per verb, which turns flags into
// an options struct, makes one call and prints what comes back. It is the only
// package that prints, and the only user of urfave/cli.
//
// What it promises to engines: flags and exit codes are runc's, joined by those of
// crun and youki; an error is one line on stderr, the same in the log, and never a
// page of usage in front of it; a command that succeeds says nothing on stderr.
//
// Runs: parent.
package cli
