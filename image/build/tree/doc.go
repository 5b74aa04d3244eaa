// Package tree copies files between directory trees, on file descriptors only: what
// COPY, ADD and WORKDIR do to an image.
//
// Both sides are hostile. A source is a build context, a stage or an image and may
// hold any link; the destination is the root of a stage, where an earlier step can
// have left any link. So no path string is opened: a path is resolved below its root
// as chroot(2) would (Resolve), and what it resolved to is opened by
// openat2(RESOLVE_IN_ROOT|RESOLVE_NO_SYMLINKS), which refuses if it has changed since.
//
// The rules for names and metadata are those of the Dockerfile reference, as buildkit
// reads them: contents of directories are copied, not directories; a link that a
// source names is followed, links below it are copied; existing directories keep
// their metadata at the top and get the source's below; everything that is created
// on the way to the destination is 0755.
package tree
