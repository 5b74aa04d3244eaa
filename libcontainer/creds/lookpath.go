package creds

import (
	"errors"
	"strconv"
	"syscall"

	"berth/internal/linux"
)

const accessX = 1 // X_OK of access(2)

// LookPath finds the executable for name as execvp(3) does: with a slash in it
// name is the path, else it is searched in PATH of env (the last one, an empty
// element being the working directory). Call it inside, as the container's user,
// after Chdir. The sentences are those that engines match.
func LookPath(name string, env []string) (string, error) {
	if hasSlash(name) {
		if err := executable(name); err != nil {
			return "", linux.Wrap("exec: "+strconv.Quote(name), err)
		}
		return name, nil
	}
	notFound := linux.Wrap("exec: "+strconv.Quote(name), errNotFound)
	path, ok := lookupEnv(env, "PATH")
	if !ok || name == "" {
		return "", notFound
	}
	for more := path != ""; more; {
		var dir string
		dir, path, more = nextDir(path)
		if full := dir + "/" + name; executable(full) == nil {
			return full, nil
		}
	}
	return "", notFound
}

// nextDir cuts the first directory off PATH; an empty one is the working directory.
func nextDir(path string) (dir, rest string, more bool) {
	end := 0
	for end < len(path) && path[end] != ':' {
		end++
	}
	if dir = path[:end]; dir == "" {
		dir = "."
	}
	if end == len(path) {
		return dir, "", false
	}
	return dir, path[end+1:], true
}

var errNotFound = errors.New("executable file not found in $PATH")

// executable returns why path cannot be executed by the calling thread.
func executable(path string) error {
	var st syscall.Stat_t
	if err := linux.Fstatat(linux.AT_FDCWD, path, &st, 0); err != nil {
		return linux.Wrap("stat "+path, err)
	}
	if st.Mode&syscall.S_IFMT == syscall.S_IFDIR {
		return syscall.EISDIR
	}
	if st.Mode&0o111 == 0 {
		return syscall.EACCES // root passes access(2) on some file systems even so
	}
	err := linux.Eaccess(linux.AT_FDCWD, path, accessX)
	if err == syscall.EACCES && noexec(path) {
		return linux.Wrap("the file system is mounted noexec", err)
	}
	return err
}

func noexec(path string) bool {
	const stNoexec = 8
	var st syscall.Statfs_t
	return syscall.Statfs(path, &st) == nil && st.Flags&stNoexec != 0
}

func hasSlash(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] == '/' {
			return true
		}
	}
	return false
}

// lookupEnv returns the last value of key in env.
func lookupEnv(env []string, key string) (string, bool) {
	for i := len(env) - 1; i >= 0; i-- {
		if v := env[i]; len(v) > len(key) && v[len(key)] == '=' && v[:len(key)] == key {
			return v[len(key)+1:], true
		}
	}
	return "", false
}
