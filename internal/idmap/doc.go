// Package idmap gives a user namespace its maps of user and group ids, as root, as a
// user through newuidmap(1) and newgidmap(1), or as a user alone.
//
// Runs: parent, and the image program.
package idmap
