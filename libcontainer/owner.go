package libcontainer

import (
	"strconv"

	"berth/internal/accounts"
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
	if name := accounts.NameIn(o.passwd, uid); name != "" {
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
