package seccomp

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"runtime"

	"golang.org/x/sys/unix"
)

// cacheVersion changes with anything that makes the same profile compile into
// another Program: the entry's layout, the prologue, the meaning of a field.
const cacheVersion = 1

// Cached returns the program for raw, the bytes of linux.seccomp, from the cache
// directory, or compiles and keeps it there. Empty raw and null ask for no filter
// and give an empty Program. The directory is made if it is not there; cacheDir ""
// means no cache. One that is a symlink, another user's, or writable by others is
// not used: whoever writes an entry decides what the container may do. Trouble
// with the cache is no error but one of Notes.
func Cached(raw json.RawMessage, cacheDir string) (*Program, error) {
	if len(raw) == 0 || bytes.Equal(raw, []byte("null")) {
		return &Program{}, nil
	}
	if !Enabled() {
		return nil, errDisabled
	}
	if cacheDir == "" {
		return Compile(raw)
	}
	key := cacheKey(raw)
	dir, trouble := openDirectory(cacheDir)
	if trouble == nil {
		defer dir.close()
		var program *Program
		if program, trouble = dir.load(key); program != nil {
			return program, nil
		}
	}
	program, err := Compile(raw)
	if err != nil {
		return nil, err
	}
	if dir != nil {
		if err := dir.store(key, program); err != nil {
			trouble = err
		}
	}
	if trouble != nil {
		program.Notes = append(program.Notes, fmt.Sprintf("seccomp cache %s: %v", cacheDir, trouble))
	}
	return program, nil
}

// cacheKey covers all that decides about the result: the profile, the libseccomp
// that compiles it, the architecture, and the kernel, whose flags and actions are
// asked for on compiling.
func cacheKey(raw []byte) [sha256.Size]byte {
	var uts unix.Utsname
	if err := unix.Uname(&uts); err != nil {
		// EFAULT is its only error; the key just says less.
		uts = unix.Utsname{}
	}
	h := sha256.New()
	for _, part := range [][]byte{
		binary.AppendUvarint(nil, cacheVersion),
		[]byte(libraryVersion()),
		[]byte(runtime.GOARCH),
		uts.Release[:],
		raw,
	} {
		h.Write(binary.AppendUvarint(nil, uint64(len(part))))
		h.Write(part)
	}
	var key [sha256.Size]byte
	h.Sum(key[:0])
	return key
}
