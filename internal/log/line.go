package log

import (
	"bytes"
	"encoding/json"
	"strconv"
	"time"
)

// line renders an entry with its newline, to be written in one call so that the
// lines of two processes appending to one file do not mix.
func (l *Logger) line(e entry) []byte {
	at := e.at.Format(time.RFC3339)
	if !l.opts.JSON {
		return []byte("time=" + strconv.Quote(at) + " level=" + e.level + " msg=" + strconv.Quote(e.msg) + "\n")
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false) // paths with < and & stay readable
	err := enc.Encode(struct {
		Level string `json:"level"`
		Msg   string `json:"msg"`
		Time  string `json:"time"`
	}{e.level, e.msg, at})
	if err != nil {
		panic(err) // three strings always encode
	}
	return b.Bytes()
}
