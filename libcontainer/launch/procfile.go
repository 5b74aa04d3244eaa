package launch

import (
	"errors"
	"fmt"
	"os"
	"strconv"
)

func writeProc(pid int, name, text string) error {
	f, err := os.OpenFile("/proc/"+strconv.Itoa(pid)+"/"+name, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	if _, err := f.WriteString(text); err != nil {
		return fmt.Errorf("write %q to %s: %w", text, name, errors.Unwrap(err))
	}
	return nil
}
