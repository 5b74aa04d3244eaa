// Package archive reads and writes images as files: OCI image layouts, as a
// directory or a tar archive, and docker's archives (docker save).
//
// Open gives a Source, from which images are pulled as from a registry; Save writes
// images of the store. What is read is hostile: names in an archive are keys of a
// table and never paths, a layout's files are opened below its directory without
// following links, and must be regular files. Nothing that is read is trusted to
// have the digest it claims: whoever fetches from the Source verifies.
//
// Sources: OCI image specification 1.1, image-layout.md; docker image specification
// 1.2, "Combined Image JSON + Filesystem Changeset Format".
//
// Runs: the image program.
package archive
