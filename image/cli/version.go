package cli

// version is set by the Makefile. Registries are told it.
var version = "0.0.0-dev"
