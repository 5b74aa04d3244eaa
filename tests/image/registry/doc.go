// Package registry tests the verbs that talk to registries against Debian's
// docker-registry on loopback: open, with htpasswd, with tokens, with TLS and client
// certificates, and behind a proxy that breaks things. BERTH_RUNTIME names the berth
// to test.
//
// Runs: tests.
package registry
