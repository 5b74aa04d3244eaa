// Package bundle turns the configuration of an image into the config.json of a
// container, and finds in the image's own files what that needs: the numbers of its
// user and groups.
//
// An image says how it wants to be run, and nothing else: it names a command,
// variables, a user, a directory. It cannot name a mount of the host, a capability,
// a namespace or a hook, its labels and annotations arrive under a prefix that no
// runtime reads, and no variable of the host enters because an image asks for it.
//
// Runs: in the image program, as root or as root of a user namespace.
//
// Sources: OCI image specification 1.1, config.md and conversion.md; the Dockerfile
// reference.
package bundle
