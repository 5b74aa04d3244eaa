package libcontainer

import (
	"bytes"
	"strconv"

	"berth/internal/readfile"
)

// owners turns uids into names. It reads /etc/passwd once, when first asked:
// os/user asks every name service of the host, in C, for each container, which is
// what makes peers' list slow.
type owners struct {
	passwd []byte
	read   bool
}

// of returns the user's name, or the number as #N when it has none.
func (o *owners) of(uid int) string {
	if !o.read {
		o.passwd, o.read = readPasswd("/etc/passwd"), true
	}
	if name := lookupUID(o.passwd, uid); name != "" {
		return name
	}
	return "#" + strconv.Itoa(uid)
}

// readPasswd reads the host's own file; in one of more than a mebibyte nobody has a
// name.
func readPasswd(path string) []byte {
	data, err := readfile.Read(path, 1<<20)
	if err != nil {
		return nil
	}
	return data
}

// lookupUID finds the first name:password:UID: line (passwd(5)).
func lookupUID(passwd []byte, uid int) string {
	want := strconv.Itoa(uid)
	for len(passwd) > 0 {
		var line []byte
		line, passwd, _ = bytes.Cut(passwd, []byte("\n"))
		fields := bytes.SplitN(line, []byte(":"), 4)
		if len(fields) == 4 && string(fields[2]) == want {
			return string(fields[0])
		}
	}
	return ""
}
