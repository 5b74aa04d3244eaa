package cli

import (
	"fmt"
	"strconv"

	"berth/internal/command"
	"berth/libcontainer"
	"berth/specconv"

	"github.com/opencontainers/runtime-spec/specs-go"
	"github.com/urfave/cli/v2"
)

func (b *berth) update() *cli.Command {
	return &cli.Command{
		Name:      "update",
		Usage:     "change the limits of a container",
		ArgsUsage: argContainer,
		Description: "What is not given stays as it is, and so does what is 0; -1 takes a limit away.\n" +
			"Sizes may end in k, m, g or t. If the kernel refuses one limit, the others are put\n" +
			"back. A memory limit below what the container uses is refused, except with --force.\n\n" +
			"   berth update --memory 512m --memory-swap 1g web\n" +
			"   berth update --cpu-quota 50000 --cpu-period 100000 --pids-limit 200 web\n\n" +
			"A file has the fields of linux.resources in config.json, devices and unified among\n" +
			"them; flags are laid over it. A list of devices takes the place of the one before.\n\n" +
			"   echo '{\"cpu\": {\"shares\": 512}, \"unified\": {\"memory.high\": \"1G\"}}' |\n" +
			"      berth update --resources - web",
		Flags: updateFlags(),
		Action: func(c *cli.Context) error {
			id, err := containerID(c)
			if err != nil {
				return err
			}
			o, err := b.updateOptions(c)
			if err != nil {
				return err
			}
			return b.rt.Update(id, o)
		},
	}
}

func updateFlags() []cli.Flag {
	flags := []cli.Flag{
		&cli.StringFlag{Name: "resources", Aliases: []string{"r"}, Usage: "read limits from `FILE`; - is stdin"},
		&cli.BoolFlag{Name: "force", DisableDefaultText: true, Usage: "set a memory limit below what the container uses"},
	}
	for _, l := range limits {
		flags = append(flags, &cli.StringFlag{Name: l.flag, Usage: l.usage, Hidden: l.usage == ""})
	}
	return append(flags,
		&cli.StringFlag{Name: "l3-cache-schema", Usage: "`SCHEMA` of the L3 cache in resctrl"},
		&cli.StringFlag{Name: "mem-bw-schema", Usage: "`SCHEMA` of the memory bandwidth in resctrl"},
	)
}

// limit is a flag that sets one field of the resources.
type limit struct {
	flag string
	// usage is empty for flags that are accepted and do nothing.
	usage string
	set   func(r *specs.LinuxResources, value string) error
}

// limits are the flags of runc and crun. cli takes them as text: what does not
// parse is then reported in one way.
var limits = [...]limit{
	{"memory", "memory `LIMIT`", func(r *specs.LinuxResources, v string) (err error) {
		memory(r).Limit, err = command.Size(v)
		return err
	}},
	{"memory-reservation", "soft memory `LIMIT`", func(r *specs.LinuxResources, v string) (err error) {
		memory(r).Reservation, err = command.Size(v)
		return err
	}},
	{"memory-swap", "`LIMIT` of memory and swap together", func(r *specs.LinuxResources, v string) (err error) {
		memory(r).Swap, err = command.Size(v)
		return err
	}},
	{"pids-limit", "at most `N` processes and threads", func(r *specs.LinuxResources, v string) error {
		n, err := signed(v)
		r.Pids = &specs.LinuxPids{Limit: n}
		return err
	}},
	{"cpu-share", "`WEIGHT` against other containers, 2 to 262144", func(r *specs.LinuxResources, v string) (err error) {
		cpu(r).Shares, err = unsigned(v)
		return err
	}},
	{"cpu-quota", "at most `USECS` of CPU time in each period", func(r *specs.LinuxResources, v string) (err error) {
		cpu(r).Quota, err = signed(v)
		return err
	}},
	{"cpu-period", "length of a period in `USECS`", func(r *specs.LinuxResources, v string) (err error) {
		cpu(r).Period, err = unsigned(v)
		return err
	}},
	{"cpu-burst", "let `USECS` be saved up beyond the quota; 0 is none", func(r *specs.LinuxResources, v string) (err error) {
		cpu(r).Burst, err = unsigned(v)
		return err
	}},
	{"cpu-idle", "run only when nobody else wants the CPU: `VALUE` is 1 or 0", func(r *specs.LinuxResources, v string) (err error) {
		cpu(r).Idle, err = signed(v)
		return err
	}},
	{"cpu-rt-runtime", "at most `USECS` of real-time CPU time in each real-time period", func(r *specs.LinuxResources, v string) (err error) {
		cpu(r).RealtimeRuntime, err = signed(v)
		return err
	}},
	{"cpu-rt-period", "length of a real-time period in `USECS`", func(r *specs.LinuxResources, v string) (err error) {
		cpu(r).RealtimePeriod, err = unsigned(v)
		return err
	}},
	{"cpuset-cpus", "CPUs to run on: `LIST` like 0-2,5", func(r *specs.LinuxResources, v string) error {
		cpu(r).Cpus = v
		return nil
	}},
	{"cpuset-mems", "memory nodes to use: `LIST` like 0-1", func(r *specs.LinuxResources, v string) error {
		cpu(r).Mems = v
		return nil
	}},
	{"blkio-weight", "`WEIGHT` of I/O against other containers, 10 to 1000", func(r *specs.LinuxResources, v string) error {
		n, err := strconv.ParseUint(v, 10, 16)
		if err != nil {
			return err
		}
		if r.BlockIO == nil {
			r.BlockIO = &specs.LinuxBlockIO{}
		}
		w := uint16(n)
		r.BlockIO.Weight = &w
		return nil
	}},
	{"kernel-memory", "", nil},
	{"kernel-memory-tcp", "", nil},
}

func memory(r *specs.LinuxResources) *specs.LinuxMemory {
	if r.Memory == nil {
		r.Memory = &specs.LinuxMemory{}
	}
	return r.Memory
}

func cpu(r *specs.LinuxResources) *specs.LinuxCPU {
	if r.CPU == nil {
		r.CPU = &specs.LinuxCPU{}
	}
	return r.CPU
}

// updateOptions lays the flags over the file.
func (b *berth) updateOptions(c *cli.Context) (libcontainer.UpdateOptions, error) {
	o := libcontainer.UpdateOptions{
		Resources:     &specs.LinuxResources{},
		Force:         c.Bool("force"),
		L3CacheSchema: c.String("l3-cache-schema"),
		MemBwSchema:   c.String("mem-bw-schema"),
	}
	if file := c.String("resources"); file != "" {
		r, err := specconv.LoadResources(file)
		if err != nil {
			return o, err
		}
		o.Resources = r
	}
	for _, l := range limits {
		v := c.String(l.flag)
		if v == "" {
			continue
		}
		if l.set == nil {
			if v != "0" {
				b.log.Warnf("--%s is ignored: Linux no longer limits kernel memory by itself", l.flag)
			}
			continue
		}
		if err := l.set(o.Resources, v); err != nil {
			return o, command.Usage(c, fmt.Errorf("--%s %q: %w", l.flag, v, reason(err)))
		}
	}
	return o, specconv.CheckResources(o.Resources)
}
