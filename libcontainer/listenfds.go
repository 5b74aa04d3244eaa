package libcontainer

import (
	"os"
	"strconv"

	"berth/libcontainer/wire"
)

// passListenFDs hands on the sockets that a service manager opened for the
// workload (sd_listen_fds(3)) and returns how many fds behind --preserve-fds they
// are. berth's own LISTEN_PID is not looked at: wrappers between the service
// manager and berth change the pid. The workload's is filled in by the init stage.
func passListenFDs(p *wire.Process) int {
	n, err := strconv.Atoi(os.Getenv("LISTEN_FDS"))
	if err != nil || n <= 0 || checkPreserveFDs(n) != nil {
		return 0
	}
	p.Env = append(p.Env, "LISTEN_FDS="+strconv.Itoa(n), "LISTEN_PID=@")
	if names := os.Getenv("LISTEN_FDNAMES"); names != "" {
		p.Env = append(p.Env, "LISTEN_FDNAMES="+names)
	}
	return n
}
