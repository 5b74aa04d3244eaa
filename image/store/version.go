package store

import (
	"encoding/json"
	"fmt"
	"strings"
)

// checkLayoutVersion reads the oci-layout file (image-layout.md).
func checkLayoutVersion(path string, raw []byte) error {
	var v struct {
		Version string `json:"imageLayoutVersion"`
	}
	if err := json.Unmarshal(raw, &v); err != nil {
		return fmt.Errorf("read %s: %w", path, err)
	}
	if v.Version != "1.0" && !strings.HasPrefix(v.Version, "1.0.") {
		return &DamagedError{path, fmt.Sprintf("layout version %q is not 1.0", v.Version)}
	}
	return nil
}
