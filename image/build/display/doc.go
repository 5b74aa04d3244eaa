// Package display shows the progress of a build the way buildkit does: on a terminal
// a list of steps that is redrawn, with the last lines of those that run; otherwise
// plain lines, each with the number of its step; or one JSON object for each event.
package display
