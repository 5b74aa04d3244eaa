// Command program is berth's image side: pull, push, build and the store. It is
// built first and embedded in berth's binary (internal/embedded), which executes
// it for those verbs; so the runtime's verbs do not pay for what it links.
package main

import (
	"os"

	"berth/image/cli"
)

func main() { os.Exit(cli.Main(os.Args)) }
