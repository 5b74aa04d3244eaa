package libcontainer

import (
	"fmt"
	"slices"
	"strings"
)

// parseSubCgroups reads exec --cgroup: PATH below the container's cgroup, or on
// cgroup v1 CONTROLLER[,CONTROLLER…]:PATH, repeatable. The key "" stands for every
// hierarchy.
func parseSubCgroups(args []string) (map[string]string, error) {
	if len(args) == 0 {
		return nil, nil
	}
	sub := make(map[string]string)
	for _, arg := range args {
		controllers, path, named := strings.Cut(arg, ":")
		if !named {
			controllers, path = "", arg
		}
		names := strings.Split(controllers, ",")
		if path == "" || named && slices.Contains(names, "") {
			return nil, fmt.Errorf("cgroup %q is not PATH or CONTROLLER[,CONTROLLER]:PATH", arg)
		}
		for _, c := range names {
			if _, twice := sub[c]; twice {
				return nil, fmt.Errorf("cgroup %q: given twice for one hierarchy", arg)
			}
			sub[c] = path
		}
	}
	return sub, nil
}
