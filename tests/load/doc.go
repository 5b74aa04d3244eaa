// Package load tests that limits hold and nothing is left behind when there is much
// to do: a thousand containers, many callers at once, workloads that take all they
// can get. Nothing in it asserts how long something takes.
//
// Environment: BERTH_LOAD_CONTAINERS, default 1000.
package load
