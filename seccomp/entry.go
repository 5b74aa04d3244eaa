package seccomp

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
)

// A cache entry is
//
//	magic | sha256(key, body) | body
//
// with body = flags, notify, filter, listenerPath, listenerMetadata, notes. The
// sum finds entries that were cut off or damaged, and, with the key in it, those
// that lie under a wrong name. It is no signature: who may write the directory is
// trusted.

const (
	entryMagic  = "berthbpf"
	entryHeader = len(entryMagic) + sha256.Size
	// maxEntry bounds what is read and written; the filter takes 32 KiB at most.
	maxEntry = 1 << 20
)

func entrySum(key [sha256.Size]byte, body []byte) [sha256.Size]byte {
	h := sha256.New()
	h.Write(key[:])
	h.Write(body)
	var sum [sha256.Size]byte
	h.Sum(sum[:0])
	return sum
}

func encodeEntry(key [sha256.Size]byte, p *Program) []byte {
	b := append([]byte(entryMagic), make([]byte, sha256.Size)...)
	b = binary.LittleEndian.AppendUint64(b, p.Flags)
	notify := byte(0)
	if p.Notify {
		notify = 1
	}
	b = append(b, notify)
	b = appendField(b, string(p.Filter))
	b = appendField(b, p.ListenerPath)
	b = appendField(b, p.ListenerMetadata)
	for _, note := range p.Notes {
		b = appendField(b, note)
	}
	sum := entrySum(key, b[entryHeader:])
	copy(b[len(entryMagic):], sum[:])
	return b
}

func appendField(b []byte, s string) []byte {
	b = binary.LittleEndian.AppendUint32(b, uint32(len(s)))
	return append(b, s...)
}

// decodeEntry returns nil for anything encodeEntry did not make for key.
func decodeEntry(key [sha256.Size]byte, b []byte) *Program {
	if len(b) < entryHeader+9 || string(b[:len(entryMagic)]) != entryMagic {
		return nil
	}
	body := b[entryHeader:]
	sum := entrySum(key, body)
	if !bytes.Equal(sum[:], b[len(entryMagic):entryHeader]) {
		return nil
	}
	p := &Program{Flags: binary.LittleEndian.Uint64(body), Notify: body[8] == 1}
	var fields [][]byte
	for rest := body[9:]; len(rest) > 0; {
		if len(rest) < 4 {
			return nil
		}
		n := binary.LittleEndian.Uint32(rest)
		if rest = rest[4:]; uint64(n) > uint64(len(rest)) {
			return nil
		}
		fields, rest = append(fields, rest[:n]), rest[n:]
	}
	if len(fields) < 3 {
		return nil
	}
	// A profile that filters nothing has no filter.
	if len(fields[0]) > 0 {
		if checkLength(fields[0]) != nil {
			return nil
		}
		p.Filter = fields[0]
	}
	p.ListenerPath, p.ListenerMetadata = string(fields[1]), string(fields[2])
	for _, note := range fields[3:] {
		p.Notes = append(p.Notes, string(note))
	}
	return p
}
