package registry

// resource is a repository whose credentials are looked up; it implements
// authn.Resource.
type resource struct{ host, repo string }

// String is the repository's full name.
func (r resource) String() string {
	if r.repo == "" {
		return r.host
	}
	return r.host + "/" + r.repo
}

// RegistryStr is the registry alone.
func (r resource) RegistryStr() string { return r.host }
