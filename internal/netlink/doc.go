// Package netlink asks the kernel about network devices and their addresses, and
// moves them between network namespaces (rtnetlink(7)). It knows the handful of
// messages that linux.netDevices takes and no more: a whole netlink library costs
// every start of berth its initialisation.
//
// A Conn belongs to the network namespace it was opened in and keeps that
// namespace alive; it may be used from any thread, by one goroutine at a time.
//
// Runs: parent.
package netlink
