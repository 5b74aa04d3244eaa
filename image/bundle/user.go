package bundle

import (
	"errors"
	"fmt"
	"math"
	"os"
	"slices"

	"berth/image"
	"berth/internal/accounts"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// user is whom the command runs as. A number brings the group and the groups that
// passwd and group of the image give it, as a login would.
func user(img *image.Config, o *Options) (specs.User, error) {
	text, whose := img.Config.User, "the image's user"
	if o.User != "" {
		text, whose = o.User, "user"
	}
	if text == "" {
		text = "0"
	}
	u, groups, err := resolve(text, o.Files)
	if err != nil {
		return specs.User{}, fmt.Errorf("%s %q: %w", whose, text, err)
	}
	// Group 0 of a user that is not in it would be kept by nobody else (CVE-2022-36109:
	// the groups of a process have its own among them).
	if !slices.Contains(groups, u.GID) {
		groups = append([]uint32{u.GID}, groups...)
	}
	if o.UserNS != nil && count(o.UserNS.GIDs) == 1 {
		groups = nil // setgroups(2) is forbidden where a single id is mapped
	}
	return specs.User{UID: u.UID, GID: u.GID, AdditionalGids: groups}, nil
}

func resolve(text string, files Tree) (accounts.User, []uint32, error) {
	u, err := accounts.ParseUser(text)
	if err != nil {
		return u, nil, err
	}
	var groups []uint32
	if u.Name != "" || u.Group != "" {
		u, groups, err = u.Resolve(files.Accounts)
		if errors.Is(err, os.ErrNotExist) {
			err = errors.New("the image has no file to look it up in: use a number")
		}
	} else if !u.HasGID {
		var account accounts.Account
		var ok bool
		if account, groups, ok, err = accounts.Lookup(files.Accounts, u.UID); ok {
			u.GID = account.GID
		}
	}
	// Above are the numbers that a program with signed ids of 32 bits takes for others
	// (CVE-2024-40635).
	if err == nil && (u.UID > math.MaxInt32 || u.GID > math.MaxInt32) {
		err = fmt.Errorf("the ids of users and groups go from 0 to %d", math.MaxInt32)
	}
	return u, groups, err
}
