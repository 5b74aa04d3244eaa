package main

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"
)

const recipe = "tests/vm/image"

// findImage returns the directory of the image that the recipe describes, and builds
// it first when it is not in the cache. Images of other recipes are removed.
func findImage(ctx context.Context) (dir string, err error) {
	key, err := recipeKey()
	if err != nil {
		return "", err
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	cache = filepath.Join(cache, "berth", "vm")
	if err := os.MkdirAll(cache, 0o755); err != nil {
		return "", err
	}
	// Two callers at once shall build one image, and remove none that is being built.
	lock, err := os.OpenFile(filepath.Join(cache, "lock"), os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, lock.Close()) }()
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX); err != nil {
		return "", fmt.Errorf("lock %s: %w", lock.Name(), err)
	}
	dir = filepath.Join(cache, key)
	if _, err := os.Stat(filepath.Join(dir, "complete")); err == nil {
		return dir, nil
	}
	if err := removeOthers(cache); err != nil {
		return "", err
	}
	return dir, buildImage(ctx, dir)
}

func buildImage(ctx context.Context, dir string) error {
	if os.Geteuid() != 0 {
		return errors.New("the image of the test machine is not in the cache, and building it needs root")
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, filepath.Join(recipe, "build"), dir)
	cmd.Stdout, cmd.Stderr = os.Stderr, os.Stderr
	// All that it has started ends with this program, mmdebstrap with its mounts, too.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM) }
	cmd.WaitDelay = 20 * time.Second
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("build the image: %w", err)
	}
	return os.WriteFile(filepath.Join(dir, "complete"), nil, 0o644)
}

// recipeKey is a hash of all files of the recipe, their names and modes.
func recipeKey() (string, error) {
	hash := sha256.New()
	err := filepath.WalkDir(recipe, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		fmt.Fprintf(hash, "%s %v %d\n%s", path, info.Mode()&0o100 != 0, len(text), text)
		return nil
	})
	return fmt.Sprintf("%x", hash.Sum(nil)[:8]), err
}

func removeOthers(cache string) error {
	entries, err := os.ReadDir(cache)
	if err != nil {
		return err
	}
	for _, entry := range entries {
		if entry.IsDir() {
			err = errors.Join(err, os.RemoveAll(filepath.Join(cache, entry.Name())))
		}
	}
	return err
}
