// Package log is what berth says to engines and people: one error line at most,
// warnings, and debug notes, as text or as JSON lines that engines decode.
//
// Two rules come from the callers. podman 4.3 decodes the whole log file as one
// JSON object, so a failing command writes its error and nothing else; warnings
// therefore wait until the command has succeeded. And the stderr of a successful
// create is the container's own, so nothing but an error may go there unless a
// person is looking.
//
// Runs: parent.
package log
