package archive

import "strings"

// Location is an image in a layout or archive, as it is written where a name of an
// image is expected: KIND:PATH[:TAG].
type Location struct {
	// Kind is oci (a directory), oci-archive or docker-archive. What is really there
	// tells the content; the kind only says that a path follows.
	Kind string
	Path string
	// Tag picks one of several images: a tag or a full name, as the archive has it.
	Tag string
}

// ParseLocation tells a location from a name in a registry. A path has a colon only
// before the tag, as for skopeo.
func ParseLocation(s string) (Location, bool) {
	kind, rest, ok := strings.Cut(s, ":")
	if !ok || rest == "" {
		return Location{}, false
	}
	switch kind {
	case "oci", "oci-archive", "docker-archive":
	default:
		return Location{}, false
	}
	// "oci:1.0" is a tag of the image called oci, as long as nothing says otherwise.
	if !strings.ContainsAny(rest, "/") && kind == "oci" && strings.Trim(rest, "0123456789.") == "" {
		return Location{}, false
	}
	path, tag, _ := strings.Cut(rest, ":")
	return Location{Kind: kind, Path: path, Tag: tag}, true
}

func (l Location) String() string {
	s := l.Kind + ":" + l.Path
	if l.Tag != "" {
		s += ":" + l.Tag
	}
	return s
}
