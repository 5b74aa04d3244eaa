package cli

import (
	"fmt"
	"strings"

	"berth/image/registry"
	"berth/internal/command"

	"github.com/urfave/cli/v2"
)

func (b *berth) logout() *cli.Command {
	return &cli.Command{
		Name:      "logout",
		Usage:     "forget the credentials for a registry",
		ArgsUsage: "[REGISTRY]",
		Description: "Forgets them in all files that berth looks into, docker's and podman's, and in their\n" +
			"credential helpers; without REGISTRY those for Docker Hub.\n\n" +
			"   berth logout registry.example",
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "authfile", Usage: "`FILE` of credentials, in place of docker's and podman's"},
		},
		Action: func(c *cli.Context) error {
			args, err := command.Arguments(c, "[REGISTRY]")
			if err != nil {
				return err
			}
			host := registry.Host(strings.Join(args, ""))
			places, err := registry.DefaultKeychain(c.String("authfile")).Erase(host)
			if err != nil {
				return err
			}
			if len(places) == 0 {
				return fmt.Errorf("logout %s: nobody is logged in there", host)
			}
			return command.PrintBytes(out(c), []byte("logged out of "+host+", forgotten in "+strings.Join(places, ", ")+"\n"))
		},
	}
}
