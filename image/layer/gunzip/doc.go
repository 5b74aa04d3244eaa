// Package gunzip decompresses gzip (RFC 1952, RFC 1951), and does nothing else.
//
// Unpacking an image is decompression for two thirds of its time. What makes this
// decoder about twice as fast as the usual ones: 64 bits of input are looked at at
// once; one table entry holds all that is known of a code (a literal, or base and
// extra bits of a length or distance), so that most symbols take one look-up; input
// and output are large buffers whose bounds are checked once per symbol; matches are
// copied in words. It is plain Go without package unsafe: the input is hostile, and
// what goes wrong is a panic at worst.
//
// It is fuzzed against compress/gzip of the standard library.
package gunzip
