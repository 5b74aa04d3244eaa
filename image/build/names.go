package build

import (
	"maps"
	"slices"

	"berth/image/build/plan"
)

func sortedNames[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

func isProxy(name string) bool { return plan.IsProxyArg(name) }
