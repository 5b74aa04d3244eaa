package cli

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"berth/internal/command"
	"berth/internal/log"
	"berth/libcontainer"

	"github.com/urfave/cli/v2"
)

func TestUpdateFlags(t *testing.T) {
	file := filepath.Join(t.TempDir(), "r.json")
	if err := os.WriteFile(file, []byte(`{"pids": {"limit": 5}, "cpu": {"shares": 7, "quota": 9}, "unified": {"memory.high": "1"}}`), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"web"}, `{}`},
		{[]string{"--memory", "1k", "--memory-reservation", "2k", "--memory-swap", "-1", "web"}, `{"memory":{"limit":1024,"reservation":2048,"swap":-1}}`},
		{[]string{"--cpu-share=2", "--cpu-quota=-1", "--cpu-period=4", "--cpu-burst=0", "--cpu-idle=1", "--cpu-rt-runtime=6", "--cpu-rt-period=7", "--cpuset-cpus=0-1", "--cpuset-mems=0", "web"},
			`{"cpu":{"shares":2,"quota":-1,"burst":0,"period":4,"realtimeRuntime":6,"realtimePeriod":7,"cpus":"0-1","mems":"0","idle":1}}`},
		{[]string{"-pids-limit", "3", "-blkio-weight", "10", "web"}, `{"pids":{"limit":3},"blockIO":{"weight":10}}`},
		{[]string{"-r", file, "--cpu-share", "8", "web"}, `{"cpu":{"shares":8,"quota":9},"pids":{"limit":5},"unified":{"memory.high":"1"}}`},
		{[]string{"--kernel-memory", "1m", "--kernel-memory-tcp", "1m", "web"}, `{}`},
	} {
		l, err := log.New(log.Options{})
		if err != nil {
			t.Fatal(err)
		}
		b := &berth{log: l}
		var o libcontainer.UpdateOptions
		err = parsed(t, b.update(), func(c *cli.Context) (err error) {
			o, err = b.updateOptions(c)
			return err
		}, c.args...)
		got, jerr := json.Marshal(o.Resources)
		if err != nil || jerr != nil || string(got) != c.want || o.Force {
			t.Errorf("%q: %v %v\n got %s\nwant %s", c.args, err, jerr, got, c.want)
		}
	}
}

func TestFlagsFirst(t *testing.T) {
	for in, want := range map[string]string{
		"update web --memory 1g":                        "update --memory 1g web",
		"update web --memory=1g -r - --force":           "update --memory=1g -r - --force web",
		"update --memory 1g web":                        "update --memory 1g web",
		"update web --memory":                           "update --memory web",
		"update web -- --memory 1g":                     "update web -- --memory 1g",
		"--root /x -debug --log=l events web -stats":    "--root /x -debug --log=l events -stats web",
		"stats a --no-stream b -i 5s c":                 "stats --no-stream -i 5s a b c",
		"exec web sh -c x":                              "exec web sh -c x",
		"--root update exec web --memory 1g":            "--root update exec web --memory 1g",
		"--debug":                                       "--debug",
		"":                                              "",
		"update web --nonsense x":                       "update --nonsense web x",
		"update -h":                                     "update -h",
		"update --cpu-quota -1 web --memory -1 --force": "update --cpu-quota -1 --memory -1 --force web",
	} {
		args := append([]string{"berth"}, strings.Fields(in)...)
		before := slices.Clone(args)
		got := command.FlagsFirst((&berth{}).app(nil), args, flagsLast)
		if strings.Join(got[1:], " ") != want || !slices.Equal(args, before) {
			t.Errorf("%s:\n got %q\nwant %q", in, got, want)
		}
	}
}
