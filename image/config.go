package image

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// Config is the configuration of an image (config.md), with the fields that Docker
// adds and every builder writes.
type Config struct {
	ocispec.Image
	// Config replaces the specification's field of the same name.
	Config RunConfig `json:"config,omitempty"`
}

// RunConfig is how an image wants to be run.
type RunConfig struct {
	ocispec.ImageConfig
	Healthcheck *Healthcheck `json:"Healthcheck,omitempty"`
	OnBuild     []string     `json:"OnBuild,omitempty"`
	Shell       []string     `json:"Shell,omitempty"`
}

// Healthcheck is the HEALTHCHECK of a Dockerfile. Times are nanoseconds in JSON.
type Healthcheck struct {
	// Test is {} (inherit), {"NONE"}, {"CMD", args…} or {"CMD-SHELL", line}.
	Test          []string      `json:"Test,omitempty"`
	Interval      time.Duration `json:"Interval,omitempty"`
	Timeout       time.Duration `json:"Timeout,omitempty"`
	StartPeriod   time.Duration `json:"StartPeriod,omitempty"`
	StartInterval time.Duration `json:"StartInterval,omitempty"`
	Retries       int           `json:"Retries,omitempty"`
}

// ParseConfig reads the configuration of an image and checks what others will rely
// on: the digests of its layers.
func ParseConfig(raw []byte) (*Config, error) {
	if len(raw) > MaxManifest {
		return nil, fmt.Errorf("image config: %d bytes are above the limit of %d", len(raw), MaxManifest)
	}
	c := &Config{}
	if err := json.Unmarshal(raw, c); err != nil {
		return nil, fmt.Errorf("image config: %w", err)
	}
	if len(c.RootFS.DiffIDs) > MaxLayers {
		return nil, fmt.Errorf("image config: %d layers are above the limit of %d", len(c.RootFS.DiffIDs), MaxLayers)
	}
	for i, d := range c.RootFS.DiffIDs {
		if err := CheckDigest(d); err != nil {
			return nil, fmt.Errorf("image config: rootfs.diff_ids[%d]: %w", i, err)
		}
	}
	return c, nil
}

// ChainIDs names each layer together with all below it (config.md, "Layer
// ChainID"): the content of a directory that holds them on top of each other.
func ChainIDs(diffIDs []digest.Digest) []digest.Digest {
	chain := make([]digest.Digest, len(diffIDs))
	for i, d := range diffIDs {
		if i == 0 {
			chain[i] = d
			continue
		}
		chain[i] = digest.FromString(string(chain[i-1]) + " " + string(d))
	}
	return chain
}
