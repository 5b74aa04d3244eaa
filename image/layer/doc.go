// Package layer turns the tar archive of a layer into a directory (Apply), a changed
// directory into such an archive (Diff), and unpacks and packs their compression
// (Decompress, Compress).
//
// An archive is hostile. Nothing is done by path: every entry is made by its last
// name in a directory that is open, which was found with openat2(RESOLVE_IN_ROOT)
// below the target. So neither "..", an absolute name, a symlink of the archive, nor
// a process that swaps directories meanwhile leads outside. What an entry replaces
// is removed, never written through. No external program is run, no name of a user
// is looked up.
//
// Runs: in the image program, as root or as root of a user namespace.
//
// Sources: OCI image specification 1.1, layer.md; overlayfs.rst of the kernel;
// tar(5), pax in pax(1).
package layer
