// Package registry talks to image registries: it finds and reads manifests, streams
// blobs, pushes, and lists tags, repositories and referrers. A Client is an
// image.Source; it knows no store.
//
// What it guards (each rule is a test):
//
//   - Plain http is for loopback, for --plain-http and for registries that a
//     settings file allows; a redirect from https to http is refused.
//   - Credentials go to the registry they are stored for and to nobody else: not
//     along a redirect, not to the URLs of a layer, not to a token server of another
//     domain (realm.go, CVE-2020-15157).
//   - A manifest is at most 4 MiB, is what its Content-Type says, and has the digest
//     that was asked for and that the registry says it has.
//   - A server that falls silent, cuts a stream, answers 429 or 5xx costs time, not
//     the transfer: streams go on where they broke (blob.go, retry.go).
//
// From google/go-containerregistry come the credentials (package authn) and the
// registry's error documents (package transport). Its authenticating transport is
// not used: it sends credentials to whatever realm a registry names, repeats a
// request whose body is already read when a token has expired in the middle of a
// push, and turns to http for every private address.
//
// Sources: OCI distribution specification 1.1, Docker's token authentication
// (distribution.github.io/distribution/spec/auth), RFC 9110 and 6750.
package registry
