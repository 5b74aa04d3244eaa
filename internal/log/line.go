package log

import (
	"bytes"
	"encoding/json"
	"strconv"
	"strings"
	"time"
	"unicode"
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

// oneLine keeps a sentence on one line, and what a container has put into it, by
// the name of a file, say, from steering the terminal that shows it.
func oneLine(msg string) string {
	msg = strings.ReplaceAll(msg, "\n", "; ") // errors.Join
	if strings.IndexFunc(msg, unprintable) < 0 {
		return msg
	}
	var b strings.Builder
	for _, r := range msg {
		if unprintable(r) {
			quoted := strconv.QuoteRuneToASCII(r)
			b.WriteString(quoted[1 : len(quoted)-1])
			continue
		}
		b.WriteRune(r)
	}
	return b.String()
}

func unprintable(r rune) bool { return !unicode.IsPrint(r) }
