package cli

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// The test binary is berth when this variable is set: exit statuses and what goes
// to which stream can only be seen from outside.
const actAsBerth = "BERTH_TEST_MAIN"

func TestMain(m *testing.M) {
	if os.Getenv(actAsBerth) != "" {
		os.Exit(Main(os.Args))
	}
	os.Exit(m.Run())
}

type result struct {
	code           int
	stdout, stderr string
}

// invoke prepares berth with its state below a fresh directory of XDG_RUNTIME_DIR
// and root.
func invoke(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command("/proc/self/exe", args...)
	cmd.Env = []string{actAsBerth + "=1", "PATH=" + os.Getenv("PATH")}
	return cmd
}

func finished(t *testing.T, cmd *exec.Cmd) result {
	t.Helper()
	var out, errOut bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errOut
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return result{cmd.ProcessState.ExitCode(), out.String(), errOut.String()}
}

func TestErrorsAndExitCodes(t *testing.T) {
	root := filepath.Join(t.TempDir(), "root")
	process := filepath.Join(t.TempDir(), "process.json")
	if err := os.WriteFile(process, []byte(`{"args": "sh"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		args   string
		code   int
		stderr string // the first line; no other but a hint may follow
	}{
		{"state", 1, `berth: state: CONTAINER is missing`},
		{"state a b", 1, `berth: state: unexpected argument "b"`},
		{"state none", 1, `berth: container does not exist`},
		{"state help", 1, `berth: container does not exist`},
		{"state ..", 1, `berth: invalid container ID ".."`},
		{"start none", 1, `berth: container does not exist`},
		{"kill none", 1, `berth: container does not exist`},
		{"kill --all none 9", 1, `berth: container does not exist`},
		{"kill none 9 --all", 1, `berth: kill: unexpected argument "--all"`},
		{"kill none FOO", 1, `berth: unknown signal "FOO"`},
		{"kill none 65", 1, `berth: unknown signal "65"`},
		{"pause none", 1, `berth: container does not exist`},
		{"resume none", 1, `berth: container does not exist`},
		{"ps none", 1, `berth: container does not exist`},
		{"delete none", 1, `berth: container does not exist`},
		{"delete --force none", 0, ``},
		{"delete -f none", 0, ``},
		{"delete none --force", 1, `berth: delete: unexpected argument "--force"`},
		{"delete --force ../none", 1, `berth: invalid container ID "../none"`},
		{"delete --regex (", 1, "berth: --regex: error parsing regexp: missing closing ): `(`"},
		{"delete --regex none", 0, ``},
		{"exec none", 1, `berth: exec: COMMAND is missing`},
		{"exec", 1, `berth: exec: CONTAINER is missing`},
		{"exec none sh --no-such-flag", 255, `berth: container does not exist`},
		{"exec --process " + process + " none", 255, `berth: process.json:1:`},
		{"exec --process /nowhere none", 255, `berth: open /nowhere: no such file or directory`},
		{"exec -u 1: none sh", 1, `berth: exec: user "1:" is not USER or USER:GROUP: `},
		{"exec -g x none sh", 1, `berth: exec: --additional-gids: "x" is not a number`},
		{"exec --no-such-flag none sh", 1, `berth: exec: unknown flag --no-such-flag`},
		{"create --bundle /nowhere -no-subreaper x", 1, `berth: open /nowhere/config.json: no such file or directory`},
		{"create --preserve-fds -1 x", 1, `berth: create: --preserve-fds "-1": not a value of this flag`},
		{"create", 1, `berth: create: CONTAINER is missing`},
		{"run x y", 1, `berth: run: unexpected argument "y"`},
		{"run --bundle", 1, `berth: run: --bundle needs a value`},
		{"list -f xml", 1, `berth: list: --format "xml": not table or json`},
		{"list x", 1, `berth: list: unexpected argument "x"`},
		{"features x", 1, `berth: features: unexpected argument "x"`},
		{"lst", 3, `berth: unknown command "lst"`},
		{"help lst", 3, `berth: unknown command "lst"`},
		{"exec -it -w / none sh", 255, `berth: container does not exist`},
		{"run -d --rm x", 1, `berth: run: --rm and --detach exclude each other`},
		{"run --detach=maybe x", 1, `berth: run: --detach "maybe": not a value of this flag`},
		{"--no-such-flag list", 1, `berth: unknown flag --no-such-flag`},
		{"--log-format xml list", 1, `berth: --log-format "xml": not text or json`},
		{"--log-level loud list", 1, `berth: --log-level "loud": not error, warning or debug`},
		{"--log /nowhere/log list", 1, `berth: open log /nowhere/log: no such file or directory`},
		{"--root / list", 1, `berth: --root "/": root directory cannot be /`},
		{"--root= list", 1, `berth: --root "": root directory is empty`},
		{"--rootless maybe list", 1, `berth: --rootless "maybe": not true, false or auto`},
		{"--cgroup-manager x list", 1, `berth: --cgroup-manager "x": not cgroupfs, systemd or disabled`},
		// Every global flag, in any order, with one dash or two.
		{"-debug=false --rootless=true -systemd-cgroup --cgroup-manager disabled --log-format=text --log-level=error --systemd-log list -q", 0, ``},
		{"--log-level warning --cgroup-manager=cgroupfs -s --rootless auto list -q", 0, ``},
	} {
		t.Run(c.args, func(t *testing.T) {
			args := strings.Fields(c.args)
			if !strings.Contains(c.args, "--root=") && !strings.Contains(c.args, "--root ") {
				args = append([]string{"--root", root}, args...)
			}
			got := finished(t, invoke(t, args...))
			if got.code != c.code {
				t.Errorf("exit status %d, want %d", got.code, c.code)
			}
			first, rest, _ := strings.Cut(got.stderr, "\n")
			if !strings.HasPrefix(first, c.stderr) || (c.stderr == "" && first != "") {
				t.Errorf("stderr %q, want %q", first, c.stderr)
			}
			if rest != "" && (!strings.HasPrefix(rest, "hint: ") || strings.Count(rest, "\n") != 1) {
				t.Errorf("behind the error stands %q", rest)
			}
			if got.stdout != "" {
				t.Errorf("stdout %q", got.stdout)
			}
		})
	}
	if _, err := os.Lstat(root); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("commands that failed made the root directory: %v", err)
	}
}

func TestHints(t *testing.T) {
	for args, want := range map[string]string{
		"lst":                   "did you mean list?",
		"stat x":                "did you mean stats?",
		"xyzzy":                 "'berth --help' lists the commands",
		"delete --froce x":      "did you mean --force?",
		"run -no-pviot x":       "did you mean --no-pivot?",
		"delete x --force":      "flags come before arguments: berth delete --force x",
		"list --root /x":        "it is a global flag, which comes before the command: berth --root list",
		"help lst":              "did you mean list?",
		"rm x":                  "did you mean delete? 'berth rmi' removes images",
		"version":               "did you mean --version?",
		"ps":                    hintList,
		"ps -a":                 hintList,
		"run busybox sh":        hintImage,
		"run -it busybox":       hintImage,
		"run x --keep":          "flags come before arguments: berth run --keep x",
		"run --name x":          "the name is an argument: berth run --image IMAGE NAME",
		"run --bundle /x y":     "a bundle is a directory with a config.json, which 'berth spec' writes; an image needs none: berth run --image IMAGE NAME",
		"kill -s KILL x":        "the signal follows the container: berth kill CONTAINER KILL",
		"state":                 "'berth state --help' tells how it is called",
		"--rooot /x list":       "did you mean --root?",
		"exec --unheard-of x y": "'berth exec --help' tells how it is called",
	} {
		got := finished(t, invoke(t, strings.Fields(args)...))
		if !strings.HasSuffix(got.stderr, "\nhint: "+want+"\n") {
			t.Errorf("%s: %q", args, got.stderr)
		}
	}
}

func TestHelp(t *testing.T) {
	app := finished(t, invoke(t, "--help"))
	if app.code != 0 || app.stderr != "" {
		t.Errorf("%+v", app)
	}
	if none := finished(t, invoke(t)); none != app {
		t.Errorf("without arguments: %+v", none)
	}
	for _, cmd := range (&berth{}).commands("") {
		if cmd.Hidden {
			continue
		}
		if !strings.Contains(app.stdout, "\n   "+cmd.Name+" ") {
			t.Errorf("--help does not list %s", cmd.Name)
		}
		got := finished(t, invoke(t, cmd.Name, "--help"))
		if got.code != 0 || !strings.Contains(got.stdout, "berth "+cmd.Name) || strings.Contains(got.stdout, "(default: false)") {
			t.Errorf("%s --help: %+v", cmd.Name, got)
		}
		if !strings.Contains(cmd.Description, "   berth "+cmd.Name) {
			t.Errorf("%s has no example", cmd.Name)
		}
		if help := finished(t, invoke(t, "help", cmd.Name)); help.code != 0 || !strings.Contains(help.stdout, "berth "+cmd.Name) {
			t.Errorf("help %s: %+v", cmd.Name, help)
		}
	}
}

func TestVersion(t *testing.T) {
	for _, flag := range []string{"--version", "-v", "-V", "-version"} {
		got := finished(t, invoke(t, flag))
		if got.code != 0 || !strings.HasPrefix(got.stdout, "berth version ") || !strings.Contains(got.stdout, "\nspec: 1.") {
			t.Errorf("%s: %+v", flag, got)
		}
	}
}

// A failing command writes one JSON object to the log and the sentence to stderr.
func TestLogFile(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "log.json")
	for n := 1; n <= 2; n++ {
		got := finished(t, invoke(t, "--root", dir+"/r", "--log", path, "--log-format", "json", "state", "none"))
		if got.code != 1 || !strings.HasPrefix(got.stderr, "berth: container does not exist\nhint: ") {
			t.Errorf("%+v", got)
		}
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		lines := strings.Split(strings.TrimSuffix(string(data), "\n"), "\n")
		if len(lines) != n {
			t.Fatalf("log holds %q", data)
		}
		var line struct{ Level, Msg, Time string }
		if err := json.Unmarshal([]byte(lines[n-1]), &line); err != nil || line.Level != "error" || line.Msg != "container does not exist" || line.Time == "" {
			t.Errorf("%q: %v", lines[n-1], err)
		}
	}
	if got := finished(t, invoke(t, "--root", dir+"/r", "--log", path, "list", "-q")); got != (result{}) {
		t.Errorf("%+v", got)
	}
}

func TestListOfNothing(t *testing.T) {
	root := t.TempDir()
	for args, want := range map[string]string{
		"list -f json":        "null\n",
		"list --format=json":  "null\n",
		"list -q":             "",
		"list --quiet":        "",
		"list":                "ID          PID         STATUS      BUNDLE      CREATED     OWNER\n",
		"list --format table": "ID          PID         STATUS      BUNDLE      CREATED     OWNER\n",
	} {
		if got := finished(t, invoke(t, append([]string{"--root", root}, strings.Fields(args)...)...)); got != (result{stdout: want}) {
			t.Errorf("%s: %+v", args, got)
		}
	}
}

func TestOutputThatCannotBeWritten(t *testing.T) {
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Skip(err)
	}
	defer full.Close()
	cmd := invoke(t, "features")
	var stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = full, &stderr
	if err := cmd.Run(); err == nil || !strings.Contains(stderr.String(), "no space left on device") {
		t.Errorf("%v, %q", err, stderr.String())
	}
}

func TestFeatures(t *testing.T) {
	got := finished(t, invoke(t, "features"))
	var f struct {
		OCIVersionMin, OCIVersionMax string
		MountOptions                 []string
	}
	if err := json.Unmarshal([]byte(got.stdout), &f); err != nil || f.OCIVersionMin != "1.0.0" || f.OCIVersionMax == "" || len(f.MountOptions) == 0 {
		t.Errorf("%+v: %v", got, err)
	}
}

func TestInfo(t *testing.T) {
	got := finished(t, invoke(t, "info"))
	if got.code != 0 || got.stderr != "" || !strings.Contains(got.stdout, "\nnamespaces\n  cgroup ") {
		t.Errorf("%+v", got)
	}
	got = finished(t, invoke(t, "info", "--format", "json"))
	var r struct {
		Kernel string
		Facts  []struct{ Group, Name, Reason string }
	}
	if err := json.Unmarshal([]byte(got.stdout), &r); err != nil || r.Kernel == "" || len(r.Facts) == 0 || r.Facts[0].Reason == "" {
		t.Errorf("%+v: %v", got, err)
	}
}

func TestSpec(t *testing.T) {
	dir := t.TempDir()
	if got := finished(t, invoke(t, "spec", "--bundle", dir)); got != (result{}) {
		t.Fatalf("%+v", got)
	}
	data, err := os.ReadFile(dir + "/config.json")
	if err != nil || !json.Valid(data) {
		t.Fatalf("%q: %v", data, err)
	}
	got := finished(t, invoke(t, "spec", "-b", dir))
	if got.code != 1 || got.stderr != "berth: file "+dir+"/config.json exists. Remove it first\n" {
		t.Errorf("%+v", got)
	}
	here := invoke(t, "spec")
	here.Dir = dir
	if got := finished(t, here); got.stderr != "berth: file config.json exists. Remove it first\n" {
		t.Errorf("%+v", got)
	}
	if got := finished(t, invoke(t, "spec", "--file", "-")); got.stdout != string(data) {
		t.Errorf("to stdout: %+v", got)
	}
	if got := finished(t, invoke(t, "spec", "--rootless", "-f", dir+"/rootless.json")); got != (result{}) {
		t.Errorf("%+v", got)
	}
	if rootless, err := os.ReadFile(dir + "/rootless.json"); err != nil || !strings.Contains(string(rootless), "uidMappings") {
		t.Errorf("%q: %v", rootless, err)
	}
}
