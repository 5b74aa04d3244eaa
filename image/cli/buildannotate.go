package cli

import (
	"errors"
	"fmt"
	"strings"

	"berth/image/build"

	"github.com/urfave/cli/v2"
)

// annotationTypes are what --annotation can be written to, with the attributes of
// --output that mean the same.
func annotationTypes(a *build.Annotations) []annotationType {
	return []annotationType{
		{"manifest", "annotation.", &a.Manifest},
		{"manifest", "annotation-manifest.", &a.Manifest},
		{"manifest-descriptor", "annotation-manifest-descriptor.", &a.Descriptor},
		{"index", "annotation-index.", &a.Index},
	}
}

type annotationType struct {
	name, attribute string
	to              *map[string]string
}

func (t annotationType) set(key, value string) error {
	if key == "" {
		return errors.New("it has no name")
	}
	if *t.to == nil {
		*t.to = map[string]string{}
	}
	(*t.to)[key] = value
	return nil
}

// readAnnotations reads --annotation [TYPE[,TYPE]:]KEY=VALUE, and what outputs have.
func (f *buildRequest) readAnnotations(c *cli.Context) error {
	a := &f.options.Annotations
	for _, text := range c.StringSlice("annotation") {
		name, value, ok := strings.Cut(text, "=")
		if !ok {
			return fmt.Errorf("--annotation %s: it is [TYPE:]KEY=VALUE", text)
		}
		kinds, key, ok := strings.Cut(name, ":")
		if !ok {
			kinds, key = "manifest", name
		}
		for _, kind := range commas([]string{kinds}) {
			if err := annotate(a, kind, key, value); err != nil {
				return fmt.Errorf("--annotation %s: %w", text, err)
			}
		}
	}
	for _, out := range f.outputs {
		for attribute, value := range out.annotations {
			if err := annotateBy(a, attribute, value); err != nil {
				return fmt.Errorf("--output %s: %w", attribute, err)
			}
		}
	}
	if len(f.options.Platforms) < 2 && len(a.Index)+len(a.Descriptor) > 0 {
		return errors.New("--annotation: there is an index only of several platforms")
	}
	return nil
}

func annotate(a *build.Annotations, kind, key, value string) error {
	for _, t := range annotationTypes(a) {
		if t.name == kind {
			return t.set(key, value)
		}
	}
	return fmt.Errorf("the type %s is not manifest, index or manifest-descriptor", kind)
}

func annotateBy(a *build.Annotations, attribute, value string) error {
	for _, t := range annotationTypes(a) {
		if key, ok := strings.CutPrefix(attribute, t.attribute); ok {
			return t.set(key, value)
		}
	}
	return errors.New("it is not known")
}
