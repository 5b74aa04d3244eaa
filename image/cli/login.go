package cli

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"berth/image/registry"
	"berth/internal/command"

	"github.com/urfave/cli/v2"
	"golang.org/x/sys/unix"
)

func (b *berth) login() *cli.Command {
	return &cli.Command{
		Name:      "login",
		Usage:     "keep the credentials for a registry",
		ArgsUsage: "[REGISTRY]",
		Description: "The registry, Docker Hub without one, is asked whether it takes them. They are kept\n" +
			"where docker keeps them, with its credential helper if one is set up: in the first of\n" +
			"--authfile, $REGISTRY_AUTH_FILE, $DOCKER_CONFIG/config.json, ~/.docker/config.json.\n\n" +
			"   berth login\n" +
			"   berth login -u me registry.example\n" +
			"   pass show registry | berth login -u me --password-stdin registry.example:5000",
		Flags: append([]cli.Flag{
			&cli.StringFlag{Name: "username", Aliases: []string{"u"}, Usage: "log in as `USER`"},
			&cli.StringFlag{Name: "password", Aliases: []string{"p"}, Usage: "`PASSWORD`, which others on this machine can see"},
			&cli.BoolFlag{Name: "password-stdin", DisableDefaultText: true, Usage: "read the password from stdin"},
		}, registryFlags()...),
		Action: func(c *cli.Context) error {
			args, err := command.Arguments(c, "[REGISTRY]")
			if err != nil {
				return err
			}
			host := registry.Host(strings.Join(args, ""))
			user, password, err := b.credentials(c, host)
			if err != nil {
				return err
			}
			client, _, err := b.registry(remoteOf(c))
			if err != nil {
				return err
			}
			defer client.Close()
			auth, err := client.Login(b.ctx, host, user, password)
			if err != nil {
				return err
			}
			place, err := registry.DefaultKeychain(c.String("authfile")).Store(host, auth)
			if err != nil {
				return err
			}
			return command.PrintBytes(out(c), []byte("logged in to "+host+", kept in "+place+"\n"))
		},
	}
}

// credentials are from the flags, stdin or the terminal.
func (b *berth) credentials(c *cli.Context, host string) (user, password string, err error) {
	user, password = c.String("username"), c.String("password")
	switch {
	case c.Bool("password-stdin") && password != "":
		return "", "", command.Usage(c, errors.New("--password and --password-stdin exclude each other"))
	case c.Bool("password-stdin"):
		if user == "" {
			return "", "", command.Usage(c, errors.New("--password-stdin needs --username"))
		}
		password, err = readSecret(os.Stdin)
		if err != nil {
			return "", "", fmt.Errorf("read the password: %w", err)
		}
	}
	if user == "" {
		if user, err = b.ask("user for "+host+": ", false); err != nil {
			return "", "", err
		}
	}
	if password == "" && !c.Bool("password-stdin") {
		if password, err = b.ask("password: ", true); err != nil {
			return "", "", err
		}
	}
	if user == "" || password == "" {
		return "", "", errors.New("login: user and password must not be empty")
	}
	return user, password, nil
}

// readSecret reads all of stdin but the newline at its end.
func readSecret(r io.Reader) (string, error) {
	const longest = 64 << 10 // some registries take keys of several kilobytes
	raw, err := io.ReadAll(io.LimitReader(r, longest+1))
	if err == nil && len(raw) > longest {
		err = fmt.Errorf("it is longer than %d bytes", longest)
	}
	return strings.TrimSuffix(strings.TrimSuffix(string(raw), "\n"), "\r"), err
}

// ask asks on the terminal; what is secret is not shown.
func (b *berth) ask(question string, secret bool) (string, error) {
	fd := int(os.Stdin.Fd())
	before, err := unix.IoctlGetTermios(fd, unix.TCGETS)
	if err != nil {
		return "", &command.Error{Code: command.ExitFailure, Err: errors.New("login: user or password is missing, and stdin is no terminal"), Cure: "give --username and --password-stdin"}
	}
	if _, err := os.Stderr.WriteString(question); err != nil {
		return "", err
	}
	if secret {
		silent := *before
		silent.Lflag &^= unix.ECHO
		if err := unix.IoctlSetTermios(fd, unix.TCSETS, &silent); err != nil {
			return "", fmt.Errorf("terminal: %w", err)
		}
		defer func() {
			_ = unix.IoctlSetTermios(fd, unix.TCSETS, before) // as it was
			_, _ = os.Stderr.WriteString("\n")                // which was not shown
		}()
	}
	type answer struct {
		line string
		err  error
	}
	got := make(chan answer, 1)
	go func() {
		line, err := bufio.NewReader(os.Stdin).ReadString('\n')
		got <- answer{strings.TrimRight(line, "\r\n"), err}
	}()
	select {
	case <-b.ctx.Done(): // the terminal is put back before the process ends
		return "", b.ctx.Err()
	case a := <-got:
		if errors.Is(a.err, io.EOF) {
			return "", errors.New("login: stdin has ended")
		}
		return a.line, a.err
	}
}
