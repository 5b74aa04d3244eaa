// Package build makes images from Dockerfiles.
//
//	Build        context and Dockerfile → image/build/plan → stages
//	stage        one goroutine for each stage that the target needs; a stage waits for
//	             another where it reads it, so independent ones run side by side
//	change       a step that makes a layer: looked up in the cache by its key, else
//	             done on an overlay of the layers below with a new upper directory
//	settle       in the background the upper directory is packed and hashed, while the
//	             next steps run on top of it
//	keep         what was settled becomes part of the store, with its cache record: many
//	             layers at once, each second and in the end
//	finish       config, manifest and names
//
// Nothing is mounted on the host: the process is in a mount namespace of its own, and
// overlays that no command has to see are not attached at all. RUN is the work of a
// Runner, which is all that this package knows of the runtime.
//
// A cache key covers the layers below, the instruction after expansion, and what it
// reads: environment and arguments of RUN, content, modes and owners of the files that
// COPY copies. It does not cover what no layer depends on, like LABEL: configuration
// and history are made anew each time, which costs nothing.
//
// What may hold secrets is kept in memory (tmpfs) and in no key, record or history.
//
// Runs: the image program, as root or as root of a user namespace, in a mount
// namespace of its own.
package build
