package plan

import "strings"

// Env is an ordered list of variables. Copies share nothing that changes: With
// returns a new list. It satisfies the shell lexer's EnvGetter.
type Env struct {
	keys   []string
	values map[string]string
}

// EnvOf reads KEY=VALUE strings. One without "=" is a key with an empty value:
// nothing is ever taken from the environment of the builder (CVE-2026-57231).
func EnvOf(list []string) Env {
	e := Env{}
	for _, kv := range list {
		k, v, _ := strings.Cut(kv, "=")
		e = e.With(k, v)
	}
	return e
}

// Get is the value of a variable.
func (e Env) Get(key string) (string, bool) {
	v, ok := e.values[key]
	return v, ok
}

// Keys are the names in order.
func (e Env) Keys() []string { return e.keys }

// With is e with a variable set, in its old place if it has one.
func (e Env) With(key, value string) Env {
	next := Env{keys: e.keys[:len(e.keys):len(e.keys)], values: make(map[string]string, len(e.values)+1)}
	for k, v := range e.values {
		next.values[k] = v
	}
	if _, ok := next.values[key]; !ok {
		next.keys = append(next.keys, key)
	}
	next.values[key] = value
	return next
}

// List is e as KEY=VALUE strings.
func (e Env) List() []string {
	list := make([]string, 0, len(e.keys))
	for _, k := range e.keys {
		list = append(list, k+"="+e.values[k])
	}
	return list
}
