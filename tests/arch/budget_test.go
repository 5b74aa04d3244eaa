package arch

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// late is what must not be initialised before the init stage takes over: each of
// these waits for a dozen others.
var late = []string{
	"bytes", "context", "encoding/json", "flag", "fmt", "internal/poll", "io/fs", "net", "net/netip",
	"os", "os/exec", "os/signal", "path/filepath", "reflect", "regexp", "strings", "text/template", "time", "unicode",
	"golang.org/x/sys/unix", "github.com/opencontainers/runtime-spec/specs-go", "github.com/urfave/cli/v2",
	"berth/cgroups", "berth/internal/cli",
}

// TestInitBudget counts the packages that are initialised before boot and before main.
func TestInitBudget(t *testing.T) {
	const binary = top + "/bin/berth"
	if _, err := os.Stat(binary); err != nil {
		t.Skip("needs bin/berth (run make)")
	}
	budget := readBudget(t)

	// Without a socket the init stage says who starts it, and exits.
	early := inits(t, binary, "berth-init", "0")
	for _, name := range late {
		if slices.Contains(early, name) {
			t.Errorf("%s is initialised before the init stage takes over", name)
		}
	}
	if len(early) > budget["init"] {
		t.Errorf("%d packages are initialised before the init stage, the budget is %d:\n%s", len(early), budget["init"], strings.Join(early, "\n"))
	}
	verb := inits(t, binary, "berth", "--version")
	if !slices.Contains(verb, "os") {
		t.Errorf("inittrace of berth --version shows no os: has its form changed?\n%s", strings.Join(verb, "\n"))
	}
	if len(verb) > budget["verb"] {
		t.Errorf("%d packages are initialised before main, the budget is %d:\n%s", len(verb), budget["verb"], strings.Join(verb, "\n"))
	}
	t.Logf("initialised before the init stage: %d of %d, before main: %d of %d", len(early), budget["init"], len(verb), budget["verb"])
}

// inits runs the binary and returns the packages whose initialisation it traced.
func inits(t *testing.T, binary string, args ...string) []string {
	t.Helper()
	cmd := exec.Command(binary)
	cmd.Args = args
	cmd.Env = append(os.Environ(), "GODEBUG=inittrace=1")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	var exit *exec.ExitError
	if err := cmd.Run(); err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	var names []string
	for line := range strings.Lines(stderr.String()) {
		// init NAME @START ms, DURATION ms clock, N bytes, N allocs
		words := strings.Fields(line)
		if len(words) > 2 && words[0] == "init" && strings.HasPrefix(words[2], "@") {
			names = append(names, words[1])
		}
	}
	if len(names) == 0 {
		t.Fatalf("%s: no inits traced: %s", strings.Join(args, " "), stderr.String())
	}
	return names
}

func readBudget(t *testing.T) map[string]int {
	t.Helper()
	text, err := os.ReadFile("budget.txt")
	if err != nil {
		t.Fatal(err)
	}
	budget := map[string]int{}
	for line := range strings.Lines(string(text)) {
		words := strings.Fields(line)
		if len(words) != 2 || words[0] == "#" {
			continue
		}
		if budget[words[0]], err = strconv.Atoi(words[1]); err != nil {
			t.Fatalf("budget.txt: %v", err)
		}
	}
	return budget
}

// TestLinked: no heavy package comes in behind the back of imports.txt.
func TestLinked(t *testing.T) {
	cmd := exec.Command("go", "list", "-deps", "-tags", "netgo,osusergo,urfave_cli_no_docs,urfave_cli_no_suggest", ".")
	cmd.Dir = top
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	deps := strings.Fields(string(out))
	// text/template is urfave/cli's way to print help.
	for _, name := range []string{
		"net/http", "crypto/tls", "html/template", "testing", "go/ast", "plugin",
		"github.com/russross/blackfriday/v2", "github.com/cpuguy83/go-md2man/v2/md2man", "github.com/xrash/smetrics",
		"runtime/cgo", "github.com/seccomp/libseccomp-golang",
		"github.com/opencontainers/go-digest", "github.com/distribution/reference", "google.golang.org/protobuf/proto",
	} {
		if slices.Contains(deps, name) {
			t.Errorf("%s is linked into berth: go mod why -m, or a build tag, says how it came in", name)
		}
	}
}
