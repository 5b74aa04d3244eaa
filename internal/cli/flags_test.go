package cli

import (
	"os"
	"path/filepath"
	"reflect"
	"testing"

	"berth/libcontainer"

	"github.com/opencontainers/runtime-spec/specs-go"
	"github.com/urfave/cli/v2"
)

// parsed runs one command's parser with act in the place of its action.
func parsed(t *testing.T, cmd *cli.Command, act func(*cli.Context) error, args ...string) error {
	t.Helper()
	cmd.Action = act
	app := (&berth{}).app(nil)
	app.Commands = []*cli.Command{cmd}
	app.Before = nil
	return app.Run(append([]string{"berth", cmd.Name}, args...))
}

func TestExecFlags(t *testing.T) {
	process := filepath.Join(t.TempDir(), "process.json")
	if err := os.WriteFile(process, []byte(`{"args": ["id"], "cwd": "/", "user": {}, "new": 1}`), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		args []string
		want libcontainer.ExecOptions
	}{
		{[]string{"web", "sh", "-c", "ls --all", "--"}, libcontainer.ExecOptions{Args: []string{"sh", "-c", "ls --all", "--"}}},
		{[]string{"--", "web", "-x"}, libcontainer.ExecOptions{Args: []string{"-x"}}},
		{[]string{"-t", "-d", "-u", "1:2", "-g", "3", "-g", "4", "-e", "A=1,2", "-e", "B=", "-c", "CAP_KILL", "web", "sh"}, libcontainer.ExecOptions{
			Tty: true, Detach: true, User: "1:2", AdditionalGids: []uint32{3, 4},
			Env: []string{"A=1,2", "B="}, Caps: []string{"CAP_KILL"}, Args: []string{"sh"},
		}},
		{[]string{"--process", process, "--tty", "--detach", "--preserve-fds=2", "--pid-file", "p", "--console-socket", "s", "--pidfd-socket", "f", "web"}, libcontainer.ExecOptions{
			Process: &specs.Process{Args: []string{"id"}, Cwd: "/"}, Args: []string{},
			Tty: true, Detach: true, PreserveFDs: 2, PIDFile: "p", ConsoleSocket: "s", PidfdSocket: "f",
		}},
		{[]string{"-cwd", "/w", "-no-new-privs", "-process-label", "l", "-apparmor", "a", "-cgroup", "cpu,memory:x", "-cgroup", "y", "-ignore-paused", "-no-subreaper", "web", "sh"}, libcontainer.ExecOptions{
			Cwd: "/w", NoNewPrivs: true, ProcessLabel: "l", AppArmor: "a", Cgroup: []string{"cpu,memory:x", "y"}, IgnorePaused: true, Args: []string{"sh"},
		}},
	} {
		var id string
		var got libcontainer.ExecOptions
		err := parsed(t, (&berth{}).exec(), func(c *cli.Context) (err error) {
			id, got, err = execOptions(c)
			return err
		}, c.args...)
		for _, list := range []*[]string{&got.Env, &got.Caps, &got.Cgroup} {
			if len(*list) == 0 {
				*list = nil
			}
		}
		if err != nil || id != "web" || !reflect.DeepEqual(got, c.want) {
			t.Errorf("%q:\n got %+v, %v\nwant %+v", c.args, got, err, c.want)
		}
	}
}

// crun's CVE-2026-30892: what does not parse became root.
func TestExecUser(t *testing.T) {
	for user, ok := range map[string]bool{
		"0": true, "1": true, "1:2": true, "4294967294:4294967294": true, "007": true,
		"": false, "1:": false, ":1": false, ":": false, "0x1": false, "-1": false, "+1": false, "1:-1": false,
		"4294967295": false, "4294967296": false, "1:4294967295": false, "18446744073709551617": false,
		"1:2:3": false, "root": true, "root:wheel": true, "_a.b-c:1": true, "a b": false, "ro/ot": false, "-root": false, " 1": false, "1 ": false, "1_0": false, "1.0": false, "1e3": false, "²": false,
	} {
		err := parsed(t, (&berth{}).exec(), func(c *cli.Context) error {
			_, _, err := execOptions(c)
			return err
		}, "--user="+user, "web", "sh")
		if (err == nil) != ok {
			t.Errorf("--user %q: %v", user, err)
		}
	}
}

func TestCreateFlags(t *testing.T) {
	want := libcontainer.CreateOptions{
		ID: "web", Bundle: "b", ConfigFile: "c", ConsoleSocket: "s", PIDFile: "p", PidfdSocket: "f",
		NoPivot: true, NoNewKeyring: true, PreserveFDs: 3,
	}
	for _, args := range [][]string{
		{"-b", "b", "-f", "c", "--console-socket", "s", "--pid-file", "p", "--pidfd-socket", "f", "--no-pivot", "--no-new-keyring", "--preserve-fds", "3", "web"},
		{"-preserve-fds=3", "-no-subreaper", "-no-new-keyring", "-no-pivot", "-pidfd-socket=f", "-pid-file=p", "-console-socket=s", "-config=c", "-bundle=b", "web"},
	} {
		for _, cmd := range []*cli.Command{(&berth{}).create(), (&berth{}).run()} {
			var got libcontainer.CreateOptions
			err := parsed(t, cmd, func(c *cli.Context) (err error) {
				got, err = (&berth{}).createOptions(c)
				return err
			}, args...)
			if err != nil || got != want {
				t.Errorf("%s %q: %+v, %v", cmd.Name, args, got, err)
			}
		}
	}
}

func TestOnlyPids(t *testing.T) {
	table := "USER  PID  CMD\nroot 1 init 7\nroot    7  a b\nx 70 7\n\nroot 8\n"
	got, err := onlyPids([]byte(table), []int{7, 8})
	if err != nil || string(got) != "USER  PID  CMD\nroot    7  a b\nroot 8\n" {
		t.Errorf("%q, %v", got, err)
	}
	if _, err := onlyPids([]byte("CMD\ninit\n"), []int{1}); err == nil {
		t.Error("a table without pids was accepted")
	}
}

// No flag of a command has a name twice, which would panic, nor one without a text.
func TestFlagNames(t *testing.T) {
	var check func(path string, cmd *cli.Command)
	check = func(path string, cmd *cli.Command) {
		seen := map[string]bool{"h": true, "help": true}
		for _, f := range cmd.Flags {
			for _, name := range f.Names() {
				if seen[name] {
					t.Errorf("%s: --%s twice", path, name)
				}
				seen[name] = true
			}
			if v, ok := f.(cli.VisibleFlag); ok && v.IsVisible() && f.(cli.DocGenerationFlag).GetUsage() == "" {
				t.Errorf("%s: --%s has no text", path, f.Names()[0])
			}
		}
		if cmd.Usage == "" && !cmd.Hidden {
			t.Errorf("%s has no text", path)
		}
		for _, sub := range cmd.Subcommands {
			check(path+" "+sub.Name, sub)
		}
	}
	for _, cmd := range (&berth{}).app(nil).Commands {
		check(cmd.Name, cmd)
	}
}
