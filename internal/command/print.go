package command

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"

	"berth/internal/lazyjson"
)

// PrintJSON writes v as a JSON text with a newline. indent is empty for one line.
func PrintJSON(w io.Writer, v any, indent string) error {
	var b bytes.Buffer
	if text, ok := lazyjson.Try(v); ok {
		if indent == "" {
			return PrintBytes(w, append(text, '\n'))
		}
		if err := json.Indent(&b, append(text, '\n'), "", indent); err != nil {
			return fmt.Errorf("indent output: %w", err)
		}
		return PrintBytes(w, b.Bytes())
	}
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", indent)
	if err := enc.Encode(v); err != nil {
		return fmt.Errorf("encode output: %w", err)
	}
	return PrintBytes(w, b.Bytes())
}

// PrintBytes writes all output of a command in one call: what a full disk cut off
// must not look whole.
func PrintBytes(w io.Writer, p []byte) error {
	if _, err := w.Write(p); err != nil {
		return fmt.Errorf("write output: %w", err)
	}
	return nil
}
