// Package pull brings an image from a Source into the store: its content, and its
// layers unpacked, side by side.
//
//	Source ──▶ Ingest ──▶ sha256 ──▶ decompress ──▶ sha256 ──▶ layer.Apply ──▶ commit
//	 fetch      (disk)    the digest               the diff id   NewLayer       in order
//
// Each arrow is a goroutine; one layer keeps several processors busy, and several
// layers run at once. No byte is read twice: what is fetched is read back from the
// page cache behind the fetcher, by one reader. Fetchers run ahead of the unpacking,
// a few at a time; they write to the disk, so memory does not grow with the layers.
//
// Nothing of a layer counts before both digests are verified: a blob is committed
// when its own digest is right, an unpacked layer when the diff id is right, too. A
// pull that is killed goes on where it stopped: committed blobs and layers stay,
// a partial blob is resumed.
//
// # Order of locks
//
// Several pulls, of one process or many, share what they have in common: who comes
// second waits for the lock of the first. So that nobody waits in a circle, a layer
// takes its locks in this order: the layer (NewLayer), the blob (Ingest), a place
// among the fetchers, a place among the unpackers. Holding the layer's lock it waits
// for the layers below it only, and it gives its place up while it waits.
//
// Runs: the image program.
package pull
