// Package store keeps images on disk: an OCI image layout with the content of all
// images, and beside it their layers unpacked for overlayfs.
//
//	oci-layout, index.json    an OCI image layout; the index holds the names
//	blobs/ALGORITHM/HEX       content, mode 0444, named after its digest
//	ingest/ALGORITHM-HEX      content that is being fetched; survives a crash
//	layers/HEX/fs             an unpacked layer, named after its chain id
//	layers/HEX/meta.json      what is known of it; without it there is no layer
//	containers/ID/            what `run --image` keeps: upper, work, use.json
//	cache/KEY.json            records of the build cache
//	tmp/                      what is being made; gc empties it
//	lock                      see Use
//
// # Several processes at once
//
// All locks are flock(2)s, which end with their process.
//
//   - lock: whoever adds content or relies on it holds it shared (Use), gc holds it
//     alone. So what a pull has fetched and not yet named is never collected.
//   - index.json.lock: held while the index is read, changed and replaced.
//   - an ingest file and the directory of a layer in the making are their own
//     locks, on the inode: who has waited for one looks whether the name still
//     means the same inode, and finds the finished content if it does not.
//
// # Crashes
//
// Two kinds are told apart. A process that is killed loses nothing that it has
// written: the page cache is the kernel's. When the machine stops, what was not
// synced is lost, or worse, is there by name without its data.
//
// Blobs, the index and other single files: write to a temporary name, fsync,
// rename, fsync of the directory. A name therefore always means whole content.
//
// Unpacked layers have tens of thousands of files, an fsync for each would cost
// more than unpacking. So a layer is renamed into place without any, and its
// meta.json names the boot of the machine in which it was made. As long as that
// boot lasts, the layer is whole. Tag, which makes an image count, first calls
// Sync: one syncfs(2) for all new layers, and only then is the boot taken out of
// their meta files, by the discipline of single files. A meta file that still names
// another boot was never synced: the layer counts as absent and is unpacked anew.
//
// What a build makes gets no name before its data is synced: Keep does it for many
// steps at once. Records of the build cache are not synced, a torn one counts as none.
//
// # Order
//
// Content is written before what names it: layers and config, then the manifest,
// then an index, then the name. A manifest that is in the store is complete, and so
// Verify can take anything missing for a fault, in a store that killed pulls left
// behind, too.
//
// # Trust
//
// Digests and chain ids are checked before they become file names. Files are opened
// below directory descriptors without following links, and must be regular files
// of the right size. The store belongs to one user and is closed to others (0700):
// an unpacked layer may hold setuid programs.
//
// Runs: the image program.
package store
