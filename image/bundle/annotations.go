package bundle

import (
	"maps"
	"slices"
	"strings"
	"time"

	"berth/image"
)

// LabelPrefix stands before an image's labels in config.json. Annotations steer
// runtimes and engines (run.oci.*, io.katacontainers.*); under this name nobody
// listens to an image (CVE-2026-94603).
const LabelPrefix = "berth.image.label."

// annotations are the facts that conversion.md names, and the labels.
func annotations(img *image.Config) map[string]string {
	all := map[string]string{}
	add := func(name, value string) {
		if value != "" {
			all["org.opencontainers.image."+name] = value
		}
	}
	add("os", img.OS)
	add("architecture", img.Architecture)
	add("variant", img.Variant)
	add("author", img.Author)
	if img.Created != nil {
		add("created", img.Created.Format(time.RFC3339Nano))
	}
	add("stopSignal", img.Config.StopSignal)
	add("exposedPorts", strings.Join(slices.Sorted(maps.Keys(img.Config.ExposedPorts)), ","))
	for name, value := range img.Config.Labels {
		all[LabelPrefix+name] = value
	}
	return all
}
