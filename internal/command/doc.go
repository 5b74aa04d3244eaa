// Package command is the shape that berth's command lines share, those of the
// runtime's verbs and of the image side: errors with an exit status and a hint,
// arguments and flags with one grammar, sizes, output that is written whole, the
// log's flags, and the tree of commands that help, manual pages and completions are
// made from. It knows no verb.
//
// Runs: parent, and the image program.
package command
