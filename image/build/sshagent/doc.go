// Package sshagent is what RUN --mount=type=ssh and git talk to: an agent of the
// user's, or one that this process makes of private keys.
//
// A step is not trusted with the agent itself. It can list keys and have data signed;
// whatever else the protocol has (draft-ietf-sshm-ssh-agent) is refused: to add or
// remove keys, to lock the agent, to make it load a library (CVE-2023-38408).
//
// Runs: image program, any goroutine.
package sshagent
