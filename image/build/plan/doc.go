// Package plan turns a Dockerfile into stages and commands, without I/O.
//
// The syntax is buildkit's: its parser and its instruction types define the dialect.
// This package does what comes after them and before execution: it gives global and
// platform arguments their values, expands FROM lines, links stages to the stages
// that they build on or copy from, finds the target, and adds the ONBUILD triggers
// of base images once these are known.
//
// Words inside a stage cannot be expanded here, because the environment of the base
// image takes part: Expand is called for each command when its turn comes.
//
// Every error that has a place in the Dockerfile is a *Fault.
package plan
