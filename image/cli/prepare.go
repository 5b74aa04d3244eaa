package cli

import (
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"

	"berth/image"
	"berth/image/bundle"
	"berth/image/pull"
	"berth/image/store"
	"berth/image/userns"
	"berth/internal/cleanup"
	"berth/internal/command"
	"berth/internal/idmap"
	"berth/internal/imageside"

	"github.com/opencontainers/go-digest"
	"github.com/urfave/cli/v2"
)

// prepare makes the bundle of a container from an image: what the runtime asks for
// when it is called with --image.
func (b *berth) prepare() *cli.Command {
	return &cli.Command{
		Name:   "prepare",
		Usage:  "make the bundle of a container from an image",
		Hidden: true,
		Flags:  []cli.Flag{&cli.IntFlag{Name: imageside.RequestFlag, Value: -1, Usage: "read what is asked for from the descriptor `N`"}},
		Action: func(c *cli.Context) error {
			if _, err := command.Arguments(c); err != nil {
				return err
			}
			fd := c.Int(imageside.RequestFlag)
			if err := b.enter(false, userns.FD{Flag: imageside.RequestFlag, FD: fd}); err != nil {
				return err
			}
			r, err := readRequest(fd)
			if err != nil {
				return err
			}
			answer, err := b.answer(r)
			if err != nil {
				return err
			}
			return command.PrintJSON(out(c), answer, "")
		},
	}
}

func readRequest(fd int) (*imageside.Request, error) {
	const most = 16 << 20
	path := "/proc/self/fd/" + strconv.Itoa(fd)
	st, err := os.Stat(path)
	if err != nil || !st.Mode().IsRegular() || st.Size() > most {
		return nil, fmt.Errorf("--%s %d: not a request of berth", imageside.RequestFlag, fd)
	}
	text, err := os.ReadFile(path) // from the start, whoever has read it before
	if err != nil {
		return nil, err
	}
	r := &imageside.Request{}
	if err := json.Unmarshal(text, r); err != nil {
		return nil, fmt.Errorf("--%s: %w", imageside.RequestFlag, err)
	}
	return r, nil
}

// answer makes the container's directory. What it needs of the store is safe from gc
// before others may collect: by Use, then by the container.
func (b *berth) answer(r *imageside.Request) (*imageside.Prepared, error) {
	s, done, err := b.useStore()
	if err != nil {
		return nil, err
	}
	defer done()
	img, err := b.unpacked(s, r.Image, wishes{pull: r.Pull, platform: r.Platform, exact: r.Platform != "", remote: remote{plainHTTP: r.PlainHTTP}, quiet: r.Quiet})
	if err != nil {
		return nil, err
	}
	var undo cleanup.Stack
	defer undo.Run()
	id, err := containerName(r.ID)
	if err != nil {
		return nil, err
	}
	c, err := s.NewContainer(store.Use{ID: id, Root: r.Root, Name: img.name, Image: img.manifest, Layers: img.chain})
	if err != nil {
		return nil, err
	}
	undo.Add(func() {
		if err := s.RemoveContainer(id); err != nil {
			b.log.Warn(err.Error())
		}
	})
	answer := &imageside.Prepared{Bundle: c.Dir, UserXattr: idmap.Inside()}
	if answer.Layers, err = layerDirs(s, c, img.chain); err != nil {
		return nil, err
	}
	if err := b.fillBundle(c, r, img.config, answer.Layers); err != nil {
		return nil, err
	}
	undo.Release()
	return answer, nil
}

// containerName is the container's name in the store: the ids of the runtime are
// unique below one root directory only.
func containerName(id string) (string, error) {
	var random [6]byte
	if _, err := rand.Read(random[:]); err != nil {
		return "", err
	}
	const longest = 200 // of 255 that a file name may have
	return id[:min(len(id), longest)] + "-" + hex.EncodeToString(random[:]), nil
}

// layerDirs are the directories of the layers, the topmost first. overlayfs wants one
// at least.
func layerDirs(s *store.Store, c store.Container, chain []digest.Digest) ([]string, error) {
	dirs, err := layerPaths(s, chain)
	if err != nil || len(dirs) > 0 {
		return dirs, err
	}
	empty := filepath.Join(c.Dir, "empty")
	return []string{empty}, os.Mkdir(empty, 0o755)
}

// fillBundle writes config.json, and makes what it names in the bundle.
func (b *berth) fillBundle(c store.Container, r *imageside.Request, config *image.Config, layers []string) error {
	if err := os.Mkdir(filepath.Join(c.Dir, "rootfs"), 0o755); err != nil {
		return err
	}
	tree, stop, err := openTree(layers)
	if err != nil {
		return err
	}
	defer stop()
	o := bundleOptions(r)
	o.Files, o.Note = tree, b.log.Warn
	o.VolumeDir = volumeDirs(c.Dir)
	s, err := bundle.Spec(config, o)
	if err != nil {
		return err
	}
	return writeJSON(filepath.Join(c.Dir, "config.json"), s)
}

// openTree opens the layers for looking up files.
func openTree(layers []string) (tree bundle.Tree, stop func(), err error) {
	stop = func() {
		for _, f := range tree {
			_ = f.Close() // a directory
		}
	}
	for _, dir := range layers {
		f, err := os.Open(dir)
		if err != nil {
			stop()
			return nil, nil, err
		}
		tree = append(tree, f)
	}
	return tree, stop, nil
}

// volumeDirs makes directories below dir.
func volumeDirs(dir string) func(string) (string, error) {
	n := 0
	return func(string) (string, error) {
		n++
		path := filepath.Join(dir, "volumes", strconv.Itoa(n))
		return path, os.MkdirAll(path, 0o755)
	}
}

func bundleOptions(r *imageside.Request) bundle.Options {
	o := bundle.Options{
		Args: r.Args, Entrypoint: r.Entrypoint, Env: r.Env, User: r.User, Cwd: r.Cwd, Tty: r.Tty, Hostname: r.Hostname,
		ReadOnly: r.ReadOnly, NewPrivileges: r.NewPrivileges, CapAdd: r.CapAdd, CapDrop: r.CapDrop, NoSeccomp: r.NoSeccomp,
		Binds: r.Binds, Net: r.Net, Memory: r.Memory, CPUs: r.CPUs, Pids: r.Pids,
	}
	if u := r.UserNS; u != nil {
		o.UserNS = &bundle.UserNS{UIDs: u.UIDs, GIDs: u.GIDs}
	}
	if o.Net == "host" || o.Net == "" && o.UserNS != nil {
		o.Binds = append(hostNames(), o.Binds...)
	}
	return o
}

// hostNames shows the host's names to a container in its network.
func hostNames() []string {
	var binds []string
	for _, path := range []string{"/etc/resolv.conf", "/etc/hosts"} {
		if st, err := os.Stat(path); err == nil && st.Mode().IsRegular() {
			binds = append(binds, path+":"+path+":ro,nosuid,nodev,noexec")
		}
	}
	return binds
}

func writeJSON(path string, v any) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return err
	}
	return errors.Join(command.PrintJSON(f, v, "\t"), f.Close())
}

// wishes are what the user says about an image that may have to be pulled.
type wishes struct {
	pull, platform string
	remote         remote
	quiet          bool
	// exact refuses the image of another platform, when the store has one alone.
	exact bool
	// flat says that the layers need no directories in the store.
	flat bool
}

// ready is an image whose layers are unpacked.
type ready struct {
	name     string
	manifest image.Descriptor
	config   *image.Config
	// chain is the lowest first.
	chain []digest.Digest
}

// unpacked brings an image into the store if it has to, and unpacks it unless w.flat.
// The caller holds Use.
func (b *berth) unpacked(s *store.Store, word string, w wishes) (*ready, error) {
	platform := image.HostPlatform()
	if w.platform != "" {
		var err error
		if platform, err = image.ParsePlatform(w.platform); err != nil {
			return nil, err
		}
	}
	show := quietProgress(w.quiet)
	defer show.Close()
	o := pull.Options{Store: s, Apply: apply(), Unpack: !w.flat, Platforms: []image.Platform{platform}, Progress: show}
	img, err := b.find(s, word, w.pull, platform)
	if err != nil {
		return nil, err
	}
	if img == nil {
		return b.pulled(o, word, w.remote)
	}
	if have := img.config.Platform; w.exact && !image.MatchPlatform(have, platform) {
		return nil, fmt.Errorf("image %s: it is for %s, not %s", word, image.FormatPlatform(have), image.FormatPlatform(platform))
	}
	if w.flat {
		return img, nil
	}
	if hasLayers(s, img.config) {
		o.Progress = nil // there is nothing to wait for
	}
	img.chain, err = pull.Unpack(b.ctx, o, img.manifest)
	return img, err
}

// hasLayers tells whether all layers of an image are unpacked.
func hasLayers(s *store.Store, config *image.Config) bool {
	return !slices.ContainsFunc(image.ChainIDs(config.RootFS.DiffIDs), func(chain digest.Digest) bool {
		_, ok := s.Layer(chain)
		return !ok
	})
}

// find looks the image up in the store, as the policy says; nil: it is to be pulled.
func (b *berth) find(s *store.Store, word, policy string, platform image.Platform) (*ready, error) {
	switch policy {
	case "always":
		return nil, nil
	case "", "missing", "never":
	default:
		return nil, fmt.Errorf("--pull %q: not always, missing or never", policy)
	}
	ref, err := s.Find(word)
	if err == nil {
		var img store.Image
		if img, err = s.Image(ref.Descriptor, platform); err == nil {
			config, _, err := s.ReadConfig(img.Manifest.Config)
			return &ready{name: ref.Name, manifest: img.Descriptor, config: config}, err
		}
	}
	if policy == "never" {
		return nil, err
	}
	return nil, nil
}

func (b *berth) pulled(o pull.Options, word string, r remote) (*ready, error) {
	from, err := b.origin(word, r)
	if err != nil {
		return nil, err
	}
	defer from.Close()
	o.Source, o.Ref, o.Name = from, from.Ref, from.Name
	got, err := pull.Pull(b.ctx, o)
	if err != nil {
		return nil, err
	}
	if got.Config == nil {
		return nil, fmt.Errorf("%s is not an image of a root file system", word)
	}
	return &ready{name: from.Name.String(), manifest: got.Image, config: got.Config, chain: got.Chain}, nil
}
