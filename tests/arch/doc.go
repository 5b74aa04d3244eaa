// Package arch holds the tests that keep berth's architecture true: which package
// may import which (imports.txt), where unsafe, go:linkname and init functions may
// stand, and what the Go runtime initialises before the init stage takes over
// (budget.txt).
package arch
