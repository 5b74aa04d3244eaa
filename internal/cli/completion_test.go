package cli

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"berth/internal/command"
)

// complete types words into bash and returns what it offers for the last.
func complete(t *testing.T, script string, words ...string) string {
	t.Helper()
	line := `COMP_WORDS=("$@"); COMP_CWORD=$(($#-1)); _berth; echo "${COMPREPLY[*]}"`
	// The containers of a berth that is none.
	program := "berth() { if [[ $1 == --root ]]; then echo \"of-$2\"; else echo one two; fi; }\nsource " + quote(script) + "\n" + line
	cmd := exec.Command("bash", append([]string{"-c", program, "bash"}, words...)...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v: %s", words, err, out)
	}
	return strings.TrimSuffix(string(out), "\n")
}

func TestBashCompletion(t *testing.T) {
	if _, err := exec.LookPath("bash"); err != nil {
		t.Skip("needs bash")
	}
	script := filepath.Join(t.TempDir(), "berth.bash")
	text := finished(t, invoke(t, "completion", "bash"))
	if err := os.WriteFile(script, []byte(text.stdout), 0o600); err != nil || text.code != 0 {
		t.Fatal(err, text)
	}
	for words, want := range map[string]string{
		"berth cr":                       "create",
		"berth --root /x val":            "validate",
		"berth --cgroup-manager s":       "systemd",
		"berth list --form":              "--format",
		"berth list --format ":           "table json",
		"berth kill ":                    "one two",
		"berth --root /x --debug state ": "of-/x",
		"berth kill one ":                "",
		"berth exec -e state -t ":        "one two",
		"berth completion f":             "fish",
		"berth mounts ":                  "add remove list",
		"berth mounts add ":              "one two",
	} {
		if got := complete(t, script, strings.Split(words, " ")...); got != want {
			t.Errorf("%s: %q, want %q", words, got, want)
		}
	}
	// Every flag of every verb is offered.
	root := command.Tree((&berth{}).app(nil))
	for _, n := range root.Leaves() {
		words := append(append([]string{"berth"}, strings.Fields(n.Name)...), "--")
		got := " " + complete(t, script, words...) + " "
		for _, o := range n.Flags {
			if !strings.Contains(got, " --"+o.Long()+" ") {
				t.Errorf("%s: no --%s in %s", n.Name, o.Long(), got)
			}
		}
	}
}

// The other shells read their scripts without complaint.
func TestCompletionSyntax(t *testing.T) {
	for _, shell := range []string{"zsh", "fish"} {
		got := finished(t, invoke(t, "completion", shell))
		if got.code != 0 || !strings.Contains(got.stdout, "create") {
			t.Errorf("%s: %+v", shell, got)
		}
		if _, err := exec.LookPath(shell); err != nil {
			t.Logf("needs %s", shell)
			continue
		}
		cmd := exec.Command(shell, "-n", "/dev/stdin")
		cmd.Stdin = strings.NewReader(got.stdout)
		if out, err := cmd.CombinedOutput(); err != nil || len(out) > 0 {
			t.Errorf("%s: %v: %s", shell, err, out)
		}
	}
	got := finished(t, invoke(t, "completion", "csh"))
	if got.code != 1 || !strings.Contains(got.stderr, `"csh" is not bash, zsh or fish`) {
		t.Errorf("%+v", got)
	}
}

func TestManualPages(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "man")
	if got := finished(t, invoke(t, "man", dir)); got != (result{}) {
		t.Fatalf("%+v", got)
	}
	root := command.Tree((&berth{}).app(nil))
	for _, n := range append(root.Leaves(), root) {
		text, err := os.ReadFile(filepath.Join(dir, pageName(&n)+".8"))
		if err != nil {
			t.Error(err)
			continue
		}
		for _, o := range n.Flags {
			if !strings.Contains(string(text), roff("--"+o.Long())) {
				t.Errorf("%s: no --%s", n.Name, o.Long())
			}
		}
		if _, err := exec.LookPath("groff"); err != nil {
			continue
		}
		cmd := exec.Command("groff", "-man", "-Tutf8", "-ww", "-z")
		cmd.Stdin = strings.NewReader(string(text))
		if out, err := cmd.CombinedOutput(); err != nil || len(out) > 0 {
			t.Errorf("%s: %v: %s", n.Name, err, out)
		}
	}
}
