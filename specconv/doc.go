// Package specconv is the only interpreter of config.json: it loads a bundle,
// refuses what the spec forbids or this host cannot do (all faults at once), and
// turns names into numbers. It also writes the template of `berth spec` and the
// answer of `berth features`, from the same tables.
//
// Runs: parent.
package specconv
