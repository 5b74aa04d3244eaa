package bundle

import (
	"slices"
	"strconv"
	"testing"

	"berth/image"
)

// TestManyVariables: an image of a few megabytes has as many variables as it likes,
// each of which may stand there before.
func TestManyVariables(t *testing.T) {
	img := &image.Config{}
	const many = 300_000
	for i := range many {
		img.Config.Env = append(img.Config.Env, "V"+strconv.Itoa(i)+"=")
	}
	env, err := environment(img, &Options{Env: []string{"V7=x", "PATH=/bin"}})
	if err != nil || len(env) != many+1 || env[7] != "V7=x" || !slices.Contains(env, "PATH=/bin") {
		t.Errorf("%d variables, %v", len(env), err)
	}
}
