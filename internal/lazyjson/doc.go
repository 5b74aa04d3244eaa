// Package lazyjson is encoding/json for a process that reads one document and ends.
//
// encoding/json prepares a decoder and an encoder for the whole graph of Go types
// before it looks at the first byte, to be quick from the second document on. For the
// types of a config.json that takes ten times as long as to read the text. This package
// prepares nothing: it looks at a type when it meets a value of it.
//
// It has no opinion of its own. What it is not sure to read or write as encoding/json
// would (an escape for half a character, a name in another case, a type with a method
// of its own, every error) it leaves to encoding/json, from the start. So both accept
// the same, with equal results; FuzzUnmarshal compares them.
//
// Runs: parent.
package lazyjson
