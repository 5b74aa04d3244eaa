package idmap

import (
	"os"

	"berth/internal/accounts"
)

// OfCaller are the maps of a user namespace for whoever runs this: its own ids as
// root's, and behind them those of /etc/subuid and /etc/subgid. There are none behind
// if one of the two is missing.
func OfCaller() (uids, gids []Map) {
	u := accounts.Subordinate("/etc/subuid", "newuidmap")
	g := accounts.Subordinate("/etc/subgid", "newgidmap")
	if len(u) == 0 || len(g) == 0 {
		u, g = nil, nil
	}
	return behind(os.Geteuid(), u), behind(os.Getegid(), g)
}

// behind lines ranges up behind id 0, without gaps.
func behind(own int, ranges []accounts.Range) []Map {
	list := []Map{{Container: 0, Host: uint32(own), Size: 1}}
	next := uint32(1)
	for _, r := range ranges[:min(len(ranges), MaxMaps-1)] {
		list = append(list, Map{Container: next, Host: r.First, Size: r.Size})
		next += r.Size
	}
	return list
}
