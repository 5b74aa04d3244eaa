package rootfs

// cleanPath returns path as an absolute path without ".", ".." and doubled
// slashes. It is for comparing names only: what is opened is always resolved by
// the kernel inside the root.
func cleanPath(path string) string {
	out := make([]byte, 0, len(path)+1)
	for i := 0; i < len(path); {
		for i < len(path) && path[i] == '/' {
			i++
		}
		j := i
		for j < len(path) && path[j] != '/' {
			j++
		}
		switch name := path[i:j]; name {
		case "", ".":
		case "..":
			out = out[:lastSlash(out)]
		default:
			out = append(append(out, '/'), name...)
		}
		i = j
	}
	if len(out) == 0 {
		return "/"
	}
	return string(out)
}

// lastSlash is the index of the last slash, 0 when there is none.
func lastSlash[T string | []byte](p T) int {
	for i := len(p) - 1; i > 0; i-- {
		if p[i] == '/' {
			return i
		}
	}
	return 0
}

// splitLast cuts a clean absolute path into the parent directory and the name.
func splitLast(path string) (dir, name string) {
	i := lastSlash(path)
	return path[:i+1], path[i+1:]
}

func hasPrefix(s, prefix string) bool {
	return len(s) >= len(prefix) && s[:len(prefix)] == prefix
}
