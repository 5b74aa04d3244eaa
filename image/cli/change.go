package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"berth/image"
)

// change applies one Dockerfile instruction to a configuration: those that change
// nothing else.
func change(c *image.Config, line string) error {
	word, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
	rest = strings.TrimSpace(rest)
	if rest == "" {
		return fmt.Errorf("change %q: it is written INSTRUCTION VALUE, as in \"CMD /bin/sh\"", line)
	}
	if err := setField(&c.Config, strings.ToUpper(word), rest); err != nil {
		return fmt.Errorf("change %q: %w", line, err)
	}
	return nil
}

func setField(c *image.RunConfig, instruction, rest string) error {
	var err error
	switch instruction {
	case "CMD":
		c.Cmd, err = commandLine(rest)
	case "ENTRYPOINT":
		c.Entrypoint, err = commandLine(rest)
	case "SHELL":
		if !json.Valid([]byte(rest)) {
			return errors.New("SHELL takes an array of JSON")
		}
		c.Shell, err = commandLine(rest)
	case "ENV":
		err = pairs(rest, func(name, value string) {
			for i, e := range c.Env {
				if strings.HasPrefix(e, name+"=") {
					c.Env[i] = name + "=" + value
					return
				}
			}
			c.Env = append(c.Env, name+"="+value)
		})
	case "LABEL":
		err = pairs(rest, func(name, value string) {
			if c.Labels == nil {
				c.Labels = map[string]string{}
			}
			c.Labels[name] = value
		})
	case "EXPOSE":
		c.ExposedPorts = set(c.ExposedPorts, strings.Fields(rest), func(port string) string {
			if !strings.Contains(port, "/") {
				port += "/tcp"
			}
			return port
		})
	case "VOLUME":
		var paths []string
		if paths, err = list(rest); err == nil {
			c.Volumes = set(c.Volumes, paths, func(path string) string { return path })
		}
	case "USER":
		c.User = rest
	case "WORKDIR":
		if c.WorkingDir = rest; !strings.HasPrefix(rest, "/") {
			err = errors.New("the directory is not absolute")
		}
	case "STOPSIGNAL":
		c.StopSignal = rest
	case "ONBUILD":
		c.OnBuild = append(c.OnBuild, rest)
	default:
		err = errors.New("it is none of CMD, ENTRYPOINT, ENV, EXPOSE, LABEL, ONBUILD, SHELL, STOPSIGNAL, USER, VOLUME and WORKDIR")
	}
	return err
}

// commandLine is an array of JSON, or a line for the shell.
func commandLine(s string) ([]string, error) {
	if strings.HasPrefix(s, "[") {
		return list(s)
	}
	return []string{"/bin/sh", "-c", s}, nil
}

// list is an array of JSON, or words.
func list(s string) ([]string, error) {
	if !strings.HasPrefix(s, "[") {
		return strings.Fields(s), nil
	}
	var l []string
	if err := json.Unmarshal([]byte(s), &l); err != nil {
		return nil, errors.New("it is not an array of strings in JSON")
	}
	return l, nil
}

func set(to map[string]struct{}, words []string, as func(string) string) map[string]struct{} {
	if to == nil {
		to = map[string]struct{}{}
	}
	for _, w := range words {
		to[as(w)] = struct{}{}
	}
	return to
}

// pairs reads NAME=VALUE words, with quotes, or the one pair "NAME VALUE".
func pairs(s string, add func(name, value string)) error {
	words, err := splitWords(s)
	if err != nil {
		return err
	}
	if !strings.Contains(words[0], "=") {
		name, value, ok := strings.Cut(s, " ")
		if !ok {
			return fmt.Errorf("%s has no value", name)
		}
		add(name, strings.TrimSpace(value))
		return nil
	}
	for _, w := range words {
		name, value, ok := strings.Cut(w, "=")
		if !ok || name == "" {
			return fmt.Errorf("%q is not NAME=VALUE", w)
		}
		add(name, value)
	}
	return nil
}

// splitWords splits at spaces outside of quotes, and takes quotes and backslashes
// away.
func splitWords(s string) ([]string, error) {
	var words []string
	var word strings.Builder
	var quote byte
	in := false
	for i := 0; i < len(s); i++ {
		ch := s[i]
		switch {
		case ch == '\\' && quote != '\'' && i+1 < len(s):
			i++
			word.WriteByte(s[i])
			in = true
		case quote != 0 && ch == quote:
			quote = 0
		case quote == 0 && (ch == '"' || ch == '\''):
			quote, in = ch, true
		case quote == 0 && (ch == ' ' || ch == '\t'):
			if in {
				words = append(words, word.String())
			}
			word.Reset()
			in = false
		default:
			word.WriteByte(ch)
			in = true
		}
	}
	if quote != 0 {
		return nil, fmt.Errorf("a quote %c is not closed", quote)
	}
	if in {
		words = append(words, word.String())
	}
	return words, nil
}
