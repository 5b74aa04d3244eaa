package build

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
)

// keyVersion is part of every key. It changes when steps of the same definition make
// other layers than before.
const keyVersion = "berth-build-1"

// keyOf is the cache key of a step: the digest of what it depends on, in order. JSON
// writes strings so that no two lists look alike, and maps in the order of their keys.
func keyOf(kind string, parts ...any) (string, error) {
	raw, err := json.Marshal(append([]any{keyVersion, kind}, parts...))
	if err != nil {
		return "", fmt.Errorf("cache key of %s: %w", kind, err)
	}
	sum := sha256.Sum256(raw)
	return hex.EncodeToString(sum[:]), nil
}
