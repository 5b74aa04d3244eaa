// Package image drives the verbs of the image side from outside: the binary that
// BERTH_RUNTIME names (bin/berth), on images that the tests write as OCI layouts. As
// root they run as root and as two ordinary users besides, one that has subordinate
// ids and one that has none.
package image
