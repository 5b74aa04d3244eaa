// Package launch starts the init stage and talks to it: it opens berth's own
// binary so that no container can write to it, orders the namespaces to join,
// maps ids, forks through nsenter, hands over the Plan and answers messages until
// the workload runs. It also serves a foreground workload: terminal, signals, exit
// status.
//
// Runs: parent.
package launch
