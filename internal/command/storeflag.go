package command

import (
	"os"

	"github.com/urfave/cli/v2"
)

// StoreFlag is the global flag that says where images are; StoreDir reads it.
func StoreFlag() cli.Flag {
	return &cli.StringFlag{Name: "store", Usage: "keep images in `DIR` (default: $BERTH_STORE, /var/lib/berth, for users ~/.local/share/berth)"}
}

// StoreDir is the directory of images that the flag or the environment names, or
// empty.
func StoreDir(c *cli.Context) string {
	if dir := c.String("store"); dir != "" {
		return dir
	}
	return os.Getenv("BERTH_STORE")
}
