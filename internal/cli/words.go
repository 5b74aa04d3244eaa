package cli

import (
	"errors"
	"strings"
)

// splitWords cuts a command line into words by the quoting rules of a shell (POSIX
// 2.2); nothing is expanded.
func splitWords(line string) ([]string, error) {
	var words []string
	var word strings.Builder
	inWord := false
	for i := 0; i < len(line); i++ {
		switch c := line[i]; c {
		case ' ', '\t', '\n':
			if inWord {
				words = append(words, word.String())
				word.Reset()
				inWord = false
			}
			continue
		case '\'', '"':
			n, err := quoted(&word, line[i+1:], c)
			if err != nil {
				return nil, err
			}
			i += n
		case '\\':
			if i++; i == len(line) {
				return nil, errors.New("ends in a backslash")
			}
			word.WriteByte(line[i])
		default:
			word.WriteByte(c)
		}
		inWord = true
	}
	if inWord {
		words = append(words, word.String())
	}
	return words, nil
}

// quoted adds what stands before the closing quote and returns how many bytes that
// and the quote are. Between double quotes a backslash guards ", \, $ and `.
func quoted(word *strings.Builder, rest string, quote byte) (int, error) {
	for i := 0; i < len(rest); i++ {
		switch c := rest[i]; {
		case c == quote:
			return i + 1, nil
		case c == '\\' && quote == '"' && i+1 < len(rest) && strings.IndexByte("\"\\$`", rest[i+1]) >= 0:
			i++
			word.WriteByte(rest[i])
		default:
			word.WriteByte(c)
		}
	}
	return 0, errors.New("a quote is not closed")
}
