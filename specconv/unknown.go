package specconv

// UnknownFields lists the fields of a config.json that the spec does not know.
func UnknownFields(data []byte) []string { return nil }
