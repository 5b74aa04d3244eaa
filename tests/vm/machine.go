package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
)

// machine is one run of qemu. It leaves nothing: the root disk is a snapshot.
type machine struct {
	image, kernel, job, dir string
}

// kernelLine: no mitigations and no address randomisation, which cost time under
// emulation; no watchdog, which would see a slow machine as a hanging one; a panic
// ends the machine (-no-reboot).
const kernelLine = "console=ttyS0,115200 quiet loglevel=3 panic=1 " +
	"mitigations=off nokaslr nowatchdog no_timer_check tsc=reliable random.trust_cpu=on " +
	"apparmor=1 security=apparmor systemd.show_status=0"

func (m machine) command(ctx context.Context) *exec.Cmd {
	drive := func(id, path string) string {
		return fmt.Sprintf("id=%s,file=%s,format=raw,if=none,cache=unsafe,snapshot=on", id, path)
	}
	cmd := exec.CommandContext(ctx, "qemu-system-x86_64",
		"-accel", "tcg,tb-size=512", "-machine", "q35", "-cpu", "max,-la57", "-smp", "1", "-m", "1536",
		"-nodefaults", "-no-user-config", "-no-reboot", "-display", "none", "-nic", "none",
		"-kernel", filepath.Join(m.image, "vmlinuz-"+m.kernel),
		"-initrd", filepath.Join(m.image, "initrd-"+m.kernel),
		"-append", kernelLine,
		"-drive", drive("root", filepath.Join(m.image, "root.img")), "-device", "virtio-blk-pci,drive=root",
		"-drive", drive("job", m.job), "-device", "virtio-blk-pci,drive=job",
		"-device", "virtio-rng-pci",
		"-serial", "file:"+m.console(),
		"-device", "virtio-serial-pci", "-chardev", "stdio,id=out,signal=off", "-device", "virtserialport,chardev=out,nr=1")
	// The snapshots' files.
	cmd.Env = append(os.Environ(), "TMPDIR="+m.dir)
	// It also ends when this program is killed.
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	return cmd
}

func (m machine) console() string { return filepath.Join(m.dir, "console") }

// run starts the machine, reads what it says until it has ended, and returns an error
// if it did not do all its work.
func (m machine) run(ctx context.Context, s *stream) error {
	// Pdeathsig is sent when the thread ends that started the process.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	cmd := m.command(ctx)
	var complaint strings.Builder
	cmd.Stderr = &complaint
	// At the end of its stdin qemu would close the port.
	if _, err := cmd.StdinPipe(); err != nil {
		return err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	readErr := s.read(ctx, out)
	err = cmd.Wait()
	switch {
	case ctx.Err() != nil:
		err = context.Cause(ctx)
	case err != nil:
		return fmt.Errorf("qemu: %w: %s", err, complaint.String())
	case readErr != nil:
		return readErr
	case s.complete():
		return nil
	default:
		err = errors.New("the machine ended by itself")
	}
	return errors.Join(fmt.Errorf("%w; its console:\n%s", err, indent(m.lastWords())), s.breakOff())
}

// lastWords is the end of the console: what the kernel said before it died.
func (m machine) lastWords() string {
	text, err := os.ReadFile(m.console())
	if err != nil {
		return err.Error()
	}
	const shown = 4096
	return string(text[max(0, len(text)-shown):])
}
