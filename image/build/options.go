package build

import (
	"context"
	"time"

	"berth/image"
	"berth/image/build/display"
	"berth/image/build/sshagent"
	"berth/image/store"

	"github.com/opencontainers/go-digest"
)

// Options say what is built and how.
type Options struct {
	Store *store.Store
	// Dockerfile is the text, Name what it is called in messages.
	Dockerfile []byte
	Name       string
	// Context is where COPY and ADD find files; nil is an empty one.
	Context *Context
	// Contexts are the additional ones of --build-context, by name.
	Contexts map[string]Named
	// BuildArgs, Labels: --build-arg, --label.
	BuildArgs map[string]string
	Labels    map[string]string
	// Annotations are those of manifests and of the index.
	Annotations Annotations
	// Target is the stage to build; empty: the last one.
	Target string
	// Platforms to build for; none: the host's.
	Platforms []image.Platform
	// Tags are the names that the result gets in the store.
	Tags []image.Reference
	// NoCache looks up nothing in the cache; NoCacheStages names the stages that do so.
	NoCache       bool
	NoCacheStages []string
	// Pull asks the registry for base images even if the store has them.
	Pull bool
	// Squash makes one layer of those that the build adds.
	Squash bool
	// Epoch is SOURCE_DATE_EPOCH: no time in the image is later.
	Epoch *time.Time
	// Secrets and SSH are what RUN --mount can ask for, by id.
	Secrets map[string]Secret
	SSH     map[string]*sshagent.Agent
	// Run is how RUN steps are run.
	Run RunOptions
	// Jobs bounds the steps that run at once; 0: the number of processors.
	Jobs int
	// Runner runs RUN steps; Images gets base images.
	Runner Runner
	Images Images
	// Display shows the progress; nil shows nothing.
	Display *display.Display
	// UserNS says that the process is root of a user namespace only.
	UserNS bool
	// OneOwner says that this namespace has a single id: all files are root's.
	OneOwner bool
	// CacheFrom are caches from elsewhere, CacheTo says what Result.Cache holds.
	CacheFrom []CacheSource
	CacheTo   CacheMode
	// CacheInline puts the cache of the image's layers into its configuration.
	CacheInline bool
	// Warn gets warnings of one line; nil drops them.
	Warn func(string)
	// Packing compresses layers of the image otherwise than by gzip; nil: as they are.
	Packing *Packing
	// CacheOnly keeps the result out of the store's names, and its layers unpacked:
	// for outputs that need files and no image.
	CacheOnly bool
	// Files says that ExportTar or ExportLocal follows: a layer from elsewhere is
	// unpacked, too.
	Files bool
}

// Annotations say what manifests and indexes are annotated with.
type Annotations struct {
	Manifest map[string]string
	// Index, Descriptor: of the index of several platforms, and of its entries.
	Index      map[string]string
	Descriptor map[string]string
}

// RunOptions are the same for all RUN steps of a build.
type RunOptions struct {
	// Network is "host", "none", or empty for host: berth has no networks of its own.
	Network string
	// Insecure allows RUN --security=insecure, HostNetwork RUN --network=host where
	// Network is none.
	Insecure    bool
	HostNetwork bool
	// Memory in bytes, CPUs as a number, ShmSize in bytes; 0: no limit.
	Memory  int64
	CPUs    float64
	ShmSize int64
	// Hosts are NAME:ADDRESS lines for /etc/hosts.
	Hosts []string
	// Ulimits are resource limits.
	Ulimits []Ulimit
	// Hostname of the steps; empty: one of berth's.
	Hostname string
}

// Ulimit is a limit as in setrlimit(2); Name is that of --ulimit: "nofile".
type Ulimit struct {
	Name       string
	Soft, Hard uint64
}

// Secret is the content of a secret: that of a file, or Value.
type Secret struct {
	File  string
	Value []byte
}

// Images brings images into the store.
type Images interface {
	// Image makes sure that the store has the image of a reference for a platform,
	// with its layers unpacked, and returns its manifest. always asks the registry
	// even if the store has it.
	Image(ctx context.Context, ref image.Reference, platform image.Platform, always bool) (image.Descriptor, error)
	// Unpack unpacks the layers of an image in the store.
	Unpack(ctx context.Context, manifest image.Descriptor) error
}

// Named is an additional context: a tree of files, or an image.
type Named struct {
	Context *Context
	Image   image.Reference
	// Layout gets the image from elsewhere than the registry of Image; nil: Images.
	Manifest *image.Descriptor
}

// Result is what a build has made.
type Result struct {
	// Descriptor is the manifest, or the index of several platforms.
	Descriptor image.Descriptor
	// Images are those of the platforms, in the order of Options.
	Images []Built
	// Cache is the manifest or index of the cache that CacheTo asked for, in the store.
	Cache *image.Descriptor
	// Steps and Cached count the steps that make layers.
	Steps, Cached int
}

// Built is the image of one platform.
type Built struct {
	Platform image.Platform
	Manifest image.Descriptor
	Config   image.Descriptor
	Image    *image.Config
	// Cache is the manifest of the platform's cache, if CacheTo asked for one.
	Cache *image.Descriptor
	// Layers are the chain ids, the lowest first.
	Layers []digest.Digest
}
