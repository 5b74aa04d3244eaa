// Package attack holds an executable test for each published attack on this kind
// of program: a hostile image, a hostile container, a hostile config, a careless
// caller. Each fails on a naive implementation; peers that do are named.
package attack
