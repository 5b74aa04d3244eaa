package store

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"berth/image"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// Built is what images are called that were built without a name, with their digest.
const Built = "localhost/built"

// GCOptions says what gc removes beside what nothing needs.
type GCOptions struct {
	// All removes the names that no container uses, too.
	All bool
	// Cache removes the build cache: the records, and directories of cache mounts, that
	// were not of use for CacheAge.
	Cache    bool
	CacheAge time.Duration
	// KeepBuilt keeps images of builds that gave them no name, too.
	KeepBuilt bool
	// KeepPartial keeps broken-off fetches that are younger, so that they can be
	// resumed.
	KeepPartial time.Duration
	// NoWait gives up with ErrBusy when another process uses the store.
	NoWait bool
	// DryRun removes nothing and reports what would be.
	DryRun bool
}

func (o GCOptions) dropsRecord(r Record) bool {
	return o.Cache && time.Since(r.Used) >= o.CacheAge
}

// GCReport says what gc removed.
type GCReport struct {
	// Names are those that were removed, of unnamed builds or by All.
	Names []string `json:"names"`
	// Blobs and Layers, chain ids, in the order of removal.
	Blobs        []digest.Digest `json:"blobs"`
	BlobBytes    int64           `json:"blobBytes"`
	Layers       []digest.Digest `json:"layers"`
	LayerBytes   int64           `json:"layerBytes"`
	Partial      int             `json:"partial"`
	PartialBytes int64           `json:"partialBytes"`
	Records      int             `json:"records"`
	// Mounts are directories of cache mounts.
	Mounts     int   `json:"cacheMounts"`
	MountBytes int64 `json:"cacheMountBytes"`
}

// Bytes is how much was freed.
func (r GCReport) Bytes() int64 { return r.BlobBytes + r.LayerBytes + r.PartialBytes + r.MountBytes }

// GC removes what no name, container and record of the build cache needs. It waits
// until nobody uses the store. Killed at any moment it leaves a sound store.
func (s *Store) GC(ctx context.Context, o GCOptions) (GCReport, error) {
	var report GCReport
	if err := s.writable(); err != nil {
		return report, err
	}
	release, err := s.alone(ctx, o.NoWait)
	if err != nil {
		return report, err
	}
	defer release()
	c := collector{s: s, o: o, report: &report}
	if err := c.run(ctx); err != nil {
		return report, fmt.Errorf("gc: %w", err)
	}
	return report, nil
}

type collector struct {
	s      *Store
	o      GCOptions
	report *GCReport
}

// run removes from the top down: names, then what they named, so that at no moment
// something is there whose parts are not.
func (c *collector) run(ctx context.Context) error {
	containers, err := c.containers()
	if err != nil {
		return err
	}
	index, err := c.s.readIndex()
	if err != nil {
		return err
	}
	if c.o.All || !c.o.KeepBuilt {
		if index, err = c.dropNames(index, containers); err != nil {
			return err
		}
	}
	needed, err := c.s.mark(index, containers, c.o)
	if err != nil {
		return err
	}
	for _, step := range []func(*marks) error{c.dropRecords, c.dropBlobs, c.dropLayers, c.dropPartial, c.dropMounts, c.dropTemporary} {
		if err := context.Cause(ctx); err != nil {
			return err
		}
		if err := step(needed); err != nil {
			return err
		}
	}
	return nil
}

// containers are those whose needs are kept. Those that a crash of the machine has left
// unreadable are removed: nobody would know what they need, and nothing could go. For
// the same reason any other that cannot be read is an error.
func (c *collector) containers() ([]Container, error) {
	lost, err := c.s.lostContainers()
	if err != nil {
		return nil, err
	}
	if !c.o.DryRun {
		for _, id := range lost {
			if err := c.s.RemoveContainer(id); err != nil {
				return nil, err
			}
		}
		lost = nil
	}
	all, skipped, err := c.s.Containers()
	if err == nil && len(skipped) > len(lost) {
		err = fmt.Errorf("%w; remove its directory if the container is gone", skipped[0])
	}
	return all, err
}

// dropNames removes the names that no container uses, and returns the index that
// is left.
func (c *collector) dropNames(index *ocispec.Index, containers []Container) (*ocispec.Index, error) {
	used := map[digest.Digest]bool{}
	for _, container := range containers {
		used[container.Image.Digest] = true
	}
	isUsed := func(d image.Descriptor) bool {
		return used[d.Digest] || slices.ContainsFunc(c.s.Images(d), func(i Image) bool { return used[i.Descriptor.Digest] })
	}
	drop := func(index *ocispec.Index) (bool, error) {
		before := len(index.Manifests)
		index.Manifests = slices.DeleteFunc(index.Manifests, func(d image.Descriptor) bool {
			name := d.Annotations[ocispec.AnnotationRefName]
			if !c.o.All && !strings.HasPrefix(name, Built+"@") || isUsed(d) {
				return false
			}
			c.report.Names = append(c.report.Names, name)
			return true
		})
		return len(index.Manifests) < before, nil
	}
	if c.o.DryRun {
		_, err := drop(index)
		return index, err
	}
	if err := c.s.changeIndex(drop); err != nil {
		return nil, err
	}
	return c.s.readIndex()
}

func (c *collector) dropRecords(*marks) error {
	records, err := c.s.Records()
	if err != nil {
		return err
	}
	for _, r := range records {
		if !c.o.dropsRecord(r) {
			continue
		}
		c.report.Records++
		if !c.o.DryRun {
			if err := c.s.removeRecord(r.Key); err != nil {
				return err
			}
		}
	}
	return nil
}

// dropBlobs removes indexes before manifests and manifests before all else.
func (c *collector) dropBlobs(needed *marks) error {
	var byRank [3][]digest.Digest
	sizes := map[digest.Digest]int64{}
	err := c.s.eachBlob(func(d digest.Digest, size int64) {
		if !needed.blobs[d] {
			sizes[d] = size
			rank := c.rank(d, size)
			byRank[rank] = append(byRank[rank], d)
		}
	}, nil)
	if err != nil {
		return err
	}
	for _, d := range slices.Concat(byRank[:]...) {
		if !c.o.DryRun {
			if err := c.s.RemoveBlob(d); err != nil {
				return err
			}
		}
		c.report.Blobs = append(c.report.Blobs, d)
		c.report.BlobBytes += sizes[d]
	}
	return nil
}

// rank is 0 for an index, 1 for a manifest, 2 for other content.
func (c *collector) rank(d digest.Digest, size int64) int {
	if size > image.MaxManifest {
		return 2
	}
	f, _, err := c.s.openBlob(d)
	if err != nil {
		return 2
	}
	var first [1]byte
	n, _ := f.Read(first[:]) // what cannot be read is not a manifest
	_ = f.Close()            // it was read only
	if n == 0 || first[0] != '{' && first[0] != ' ' && first[0] != '\n' {
		return 2
	}
	m, _, err := c.s.ReadManifest(image.Descriptor{Digest: d, Size: size})
	switch {
	case err != nil:
		return 2
	case m.Index != nil:
		return 0
	}
	return 1
}

func (c *collector) dropLayers(needed *marks) error {
	chains, err := c.s.chains()
	if err != nil {
		return err
	}
	for _, chain := range chains {
		meta, err := c.s.readMeta(chain)
		whole := err == nil && c.s.counts(meta)
		if whole && needed.layers[chain] {
			continue
		}
		if !c.o.DryRun {
			if err := c.s.removeLayer(chain); err != nil {
				return err
			}
		}
		c.report.Layers = append(c.report.Layers, chain)
		c.report.LayerBytes += meta.Size
	}
	return nil
}

func (c *collector) dropPartial(*marks) error {
	names, err := c.s.ingest.names()
	if err != nil {
		return err
	}
	for _, name := range names {
		if content, isMark := strings.CutSuffix(name, markSuffix); isMark && slices.Contains(names, content) {
			continue // goes with its file
		}
		st, err := c.s.ingest.stat(name)
		if err != nil {
			return err
		}
		if time.Since(time.Unix(st.Mtim.Unix())) < c.o.KeepPartial {
			continue
		}
		c.report.Partial++
		c.report.PartialBytes += st.Size
		if c.o.DryRun {
			continue
		}
		err = c.s.ingest.remove(name + markSuffix)
		if notExist(err) {
			err = nil
		}
		if err := errors.Join(err, c.s.ingest.remove(name)); err != nil {
			return err
		}
	}
	return nil
}

// dropTemporary empties tmp: nobody is at work.
func (c *collector) dropTemporary(*marks) error {
	if c.o.DryRun {
		return nil
	}
	return c.s.tmp.empty()
}
