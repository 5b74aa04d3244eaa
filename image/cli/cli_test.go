package cli

import (
	"strings"
	"testing"

	"berth/internal/imageside"

	"github.com/urfave/cli/v2"
)

// berth's help shows the verbs from a table of its own.
func TestTableOfVerbs(t *testing.T) {
	var table []string
	for _, v := range imageside.Verbs() {
		table = append(table, v.Name+": "+v.Usage)
	}
	var own []string
	for _, c := range (&berth{}).commands() {
		if !c.Hidden {
			own = append(own, c.Name+": "+c.Usage)
		}
		if !imageside.Has(c.Name) {
			t.Errorf("internal/imageside/verbs.go does not know %s", c.Name)
		}
	}
	if got, want := strings.Join(table, "\n"), strings.Join(own, "\n"); got != want {
		t.Errorf("internal/imageside/verbs.go has\n%s\nwant\n%s", got, want)
	}
}

// No flag of a command has a name twice, which would panic, nor one without a text,
// and every command shows an example.
func TestFlags(t *testing.T) {
	var check func(path string, c *cli.Command)
	check = func(path string, c *cli.Command) {
		seen := map[string]bool{"h": true, "help": true}
		for _, f := range c.Flags {
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
		if !c.Hidden && (c.Usage == "" || !strings.Contains(c.Description, "   berth "+path)) {
			t.Errorf("%s has no text or no example", path)
		}
		for _, sub := range c.Subcommands {
			check(path+" "+sub.Name, sub)
		}
	}
	for _, c := range (&berth{}).commands() {
		check(c.Name, c)
	}
}

func TestRuntimeGlobals(t *testing.T) {
	app := (&berth{}).app()
	for args, want := range map[string]string{
		"berth pull x": "",
		"berth --runtime-fd=3 --root /r --debug pull":       "--root /r",
		"berth --root=/r --log f --systemd-cgroup pull -q":  "--root=/r --systemd-cgroup",
		"berth --log --root --store s --rootless true pull": "--store s --rootless true",
	} {
		if got := strings.Join(runtimeGlobals(app, strings.Fields(args)), " "); got != want {
			t.Errorf("%s: %q, want %q", args, got, want)
		}
	}
}

func TestSearchPlace(t *testing.T) {
	for word, want := range map[string][2]string{
		"busybox": {"docker.io", "busybox"}, "node.js": {"docker.io", "node.js"}, "team/app": {"docker.io", "team/app"},
		"registry.example/": {"registry.example", ""}, "registry.example/team": {"registry.example", "team"},
		"127.0.0.1:5000": {"127.0.0.1:5000", ""}, "localhost:5000/app": {"localhost:5000", "app"}, "localhost/app": {"localhost", "app"},
	} {
		if host, term := searchPlace(word); host != want[0] || term != want[1] {
			t.Errorf("%s: %s in %s", word, term, host)
		}
	}
}
